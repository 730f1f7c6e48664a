import { z } from 'zod'

/** One .deb by its very bytes. */
export const LockedPackage = z.strictObject({
  name: z.string(),
  version: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** `root`: its files lie in a slot; `boot`: on the boot partition; `tool`: it builds. */
  use: z.enum(['root', 'boot', 'tool', 'kernel']),
  /** From the suite's backports. */
  backports: z.literal(true).optional(),
})
export type LockedPackage = z.infer<typeof LockedPackage>

/** `lock/{board}.json` and `lock/tools-{architecture}.json`: what an image is made from. `npm run image -- BOARD --update-lock` renews them. */
export const Lock = z.strictObject({
  suite: z.string(),
  architecture: z.enum(['amd64', 'arm64']),
  packages: z.array(LockedPackage),
})
export type Lock = z.infer<typeof Lock>

/** Sorted and one package a line, so that a diff shows what an update changes. */
export function formatLock({ suite, architecture, packages }: Lock): string {
  const sorted = [...packages].sort((a, b) => (`${a.use} ${a.name}` < `${b.use} ${b.name}` ? -1 : 1))
  const lines = sorted.map((one) => `    ${JSON.stringify(LockedPackage.parse(one)).replaceAll('":', '": ').replaceAll(',"', ', "')}`)
  return `{\n  "suite": "${suite}",\n  "architecture": "${architecture}",\n  "packages": [\n${lines.join(',\n')}\n  ]\n}\n`
}
