import { createHash } from 'node:crypto'
import { Board, Version } from '@bridgehead/shared/model/release.ts'
import { z } from 'zod'

/** Which appliance image is wanted. */
export const ApplianceImageRequest = z.strictObject({
  board: Board,
  /** The project's own when left out. */
  version: Version.optional(),
  /** Quick to make, larger. */
  dev: z.boolean().default(false),
})
export type ApplianceImageRequest = z.infer<typeof ApplianceImageRequest>

/** Name of an image by all that shapes it. */
export function applianceImageHash(inputs: Readonly<Record<string, string | boolean | number>>): string {
  const sorted = Object.fromEntries(Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}
