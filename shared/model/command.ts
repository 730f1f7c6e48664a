import { z } from 'zod'
import { SCRIPT_CHARACTERS } from './script-text.ts'

/** A one-shot order to a site. At-least-once on the wire; the appliance remembers ids, so that its effect happens once. */
export const Command = z.object({
  protocol: z.int(),
  id: z.uuid(),
  site: z.uuid(),
  at: z.int(),
  /** Epoch ms after which the order is void. */
  deadline: z.int(),
  order: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('run-script'),
      /** One run per host: its id, the host, and what the script may take. */
      runs: z
        .array(z.object({ run: z.uuid(), host: z.uuid() }))
        .min(1)
        .max(10_000),
      /** Bash text, already rendered. */
      text: z.string().max(SCRIPT_CHARACTERS),
      user: z.string().default('root'),
      timeoutSeconds: z.int().min(1).max(86_400).default(600),
    }),
    z.object({ kind: z.literal('cancel-run'), run: z.uuid() }),
    z.object({ kind: z.literal('ping') }),
  ]),
})
export type Command = z.infer<typeof Command>
