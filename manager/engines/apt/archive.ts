import type { AptSource, IndexTarget } from './sources.ts'

/** Where one suite's packages come from: the release itself first, then its updates and security fixes. */
export interface Archive {
  codename: string
  parts: ArchivePart[]
}
export interface ArchivePart {
  uri: string
  suite: string
  components: string[]
  signedBy?: string | undefined
}

export class ArchiveError extends Error {
  readonly code = 'archive'
}

/**
 * Debian's own archive, as this machine's apt reads it (mirror, components, keys), for `suite` or the machine's own release.
 * Third-party sources and backports are passed over: an image holds what Debian itself supports. Another suite than the machine's
 * is taken from the same mirrors. Throws ArchiveError when apt knows no Debian archive.
 */
export function chooseArchive(targets: readonly IndexTarget[], sources: readonly AptSource[], suite?: string): Archive {
  const debian = targets.filter(
    (target) => target.origin === 'Debian' && /^Debian(-Security)?$/.test(target.label ?? '') && target.codename,
  )
  const own = debian.find((target) => target.label === 'Debian' && /^[a-z]+$/.test(target.codename ?? ''))?.codename
  if (own === undefined)
    throw new ArchiveError(
      'apt on this machine knows no Debian archive (Origin: Debian); add one to /etc/apt/sources.list.d/ and run apt-get update',
    )
  const codename = suite ?? own
  const parts = new Map<string, ArchivePart>()
  for (const target of debian) {
    const kind =
      target.codename === own ? '' : (target.codename ?? '').startsWith(`${own}-`) ? (target.codename ?? '').slice(own.length) : undefined
    if (kind === undefined || !['', '-updates', '-security'].includes(kind)) continue
    const key = `${target.uri} ${kind}`
    const part = parts.get(key) ?? {
      uri: target.uri,
      suite: `${codename}${kind}`,
      components: [],
      signedBy: sources.find((source) => source.uri === target.uri && source.suite === target.release)?.signedBy,
    }
    if (!part.components.includes(target.component)) part.components.push(target.component)
    parts.set(key, part)
  }
  const order = (part: ArchivePart) => (part.suite === codename ? 0 : 1)
  return { codename, parts: [...parts.values()].sort((a, b) => order(a) - order(b)) }
}

/** Only the backports of a suite; they lie where the suite itself does and are signed by the same key. */
export function backportsOf({ codename, parts }: Archive): Archive {
  return { codename, parts: parts.filter((part) => part.suite === codename).map((part) => ({ ...part, suite: `${codename}-backports` })) }
}

/** The archive as apt's own files write it; without credentials, for the installed machine. */
export function formatDeb822(archive: Archive): string {
  return archive.parts
    .map(({ uri, suite, components }) =>
      [
        'Types: deb',
        `URIs: ${withoutCredentials(uri)}`,
        `Suites: ${suite}`,
        `Components: ${components.join(' ')}`,
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
        '',
      ].join('\n'),
    )
    .join('\n')
}

/** Lines for mmdebstrap. A key given as text must have been written to a file before. */
export function formatOneLine({ uri, suite, components, signedBy }: ArchivePart): string {
  return `deb ${signedBy === undefined ? '' : `[signed-by=${signedBy}] `}${uri} ${suite} ${components.join(' ')}`
}

/** Of all URIs in a text. */
export function withoutCredentials(uri: string): string {
  return uri.replace(/([a-z+]+:\/\/)[^/@\s]*@/g, '$1')
}

/** apt's settings that say how to reach the archive (proxies, certificates, clocks); not what apt does with packages. */
const REACH =
  /^Acquire::((http|https|ftp|tor)(::.*)?|Retries|Check-Valid-Until|Check-Date|Max-ValidTime|Min-ValidTime|ForceIPv[46]|By-Hash|Queue-Mode)$/i

/** Those lines of `apt-config dump` that another apt needs to reach the same archive, as configuration lines. */
export function reachOptions(dump: string): string[] {
  return dump.split('\n').flatMap((line) => {
    const match = /^(\S+) "(.*)";$/.exec(line)
    return match?.[1] !== undefined && match[2] !== '' && REACH.test(match[1]) ? [line.trim()] : []
  })
}
