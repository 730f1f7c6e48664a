import type { z } from 'zod'

const SHOWN = 5

/** What does not fit in a document, for an event: the first few fields by name, and how many more. */
export function explain({ issues }: z.ZodError): string {
  const shown = issues.slice(0, SHOWN).map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`.slice(0, 300))
  return `does not fit: ${shown.join('; ')}${issues.length > SHOWN ? `; and ${issues.length - SHOWN} more` : ''}`
}
