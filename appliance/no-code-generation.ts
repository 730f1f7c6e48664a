import { z } from 'zod'

/**
 * zod would write a function for each schema that is used, and have V8 compile it: worth it for a schema that is parsed thousands of times, and
 * here most are parsed once, at the start. Imported before any schema is made.
 */
z.config({ jitless: true })
