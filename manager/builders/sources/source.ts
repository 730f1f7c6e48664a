import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
const Name = z.string().regex(/^[a-z0-9][a-z0-9+.-]{0,63}$/, 'expected a name of lower-case letters, digits and + . -')
const Version = z.string().regex(/^[A-Za-z0-9][\w.+~:-]{0,99}$/, 'expected a version such as 2.12-1')

/** Where source comes from, as people and API say it. */
export const Source = z.discriminatedUnion('kind', [
  z.strictObject({
    /** Of the archive that this machine's apt trusts. */
    kind: z.literal('debian'),
    package: Name,
    /** The newest when left out. */
    version: Version.optional(),
    /** Code name; the machine's own release when left out. */
    suite: z
      .string()
      .regex(/^[a-z][a-z0-9-]{1,30}$/, 'expected a Debian code name such as trixie')
      .optional(),
  }),
  z.strictObject({
    /** A tarball; the checksum is what is trusted. */
    kind: z.literal('url'),
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2_048)
      .refine((text) => new URL(text).username === '' && new URL(text).password === '', 'expected a URL without user and password'),
    sha256: Sha256,
    name: Name,
    version: Version,
  }),
  z.strictObject({
    /** A tarball that lies in the bucket already. */
    kind: z.literal('upload'),
    sha256: Sha256,
    name: Name,
    version: Version,
  }),
])
export type Source = z.infer<typeof Source>

/** The manager's own settings may also name a directory, or a tarball, of the manager's machine. The API never may. */
export type ConfiguredSource = Source | { kind: 'directory'; path: string }

/** Source that lies in the bucket: what a build starts from. */
export const SourceRef = z.object({
  kind: z.enum(['debian', 'url', 'upload']),
  name: z.string(),
  version: z.string(),
  /** A tarball; or a .dsc and the files that it names by their sha256. */
  files: z.array(ArtifactRef).min(1),
  /** Where it was found; without credentials. */
  from: z.string(),
})
export type SourceRef = z.infer<typeof SourceRef>

/** As people name it, in errors and logs. */
export function describeSource(source: ConfiguredSource): string {
  switch (source.kind) {
    case 'debian':
      return `Debian source package ${source.package}${source.version ? ` ${source.version}` : ''}${source.suite ? ` of ${source.suite}` : ''}`
    case 'url':
      return source.url
    case 'upload':
      return `uploaded tarball ${source.sha256} (${source.name} ${source.version})`
    case 'directory':
      return source.path
  }
}

/** Files and their sums in a .dsc (Debian policy 5.4). */
export function dscFiles(text: string): { sha256: string; name: string }[] {
  const body = /^Checksums-Sha256:\s*\n((?: .*\n?)+)/m.exec(text)?.[1] ?? ''
  return body.split('\n').flatMap((line) => {
    const [, sha256, name] = /^ ([0-9a-f]{64}) \d+ ([\w.+~-]+)$/.exec(line) ?? []
    return sha256 && name ? [{ sha256, name }] : []
  })
}

/** A file name as artifacts may have it. */
export const artifactName = (name: string) => name.replaceAll(/[^\w.+-]/g, '-').slice(-100)
