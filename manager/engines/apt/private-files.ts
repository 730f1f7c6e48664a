import { type Archive, formatOneLine } from './archive.ts'

/** Lines of the private sources.list. Components are the wished ones, in every part of the archive; apt passes over those that a part lacks. */
export function sourceLines(
  archive: Archive,
  { components, sourcePackages = false }: { components: readonly string[]; sourcePackages?: boolean | undefined },
): string[] {
  return archive.parts.map((part) => {
    const line = formatOneLine({ ...part, components: [...components] })
    return sourcePackages ? line.replace(/^deb /, 'deb-src ') : line
  })
}

/** apt.conf(5): nothing of the machine's own settings counts, except `reach` (how to get at the archive), trusted keys and passwords of mirrors. */
export function privateConfiguration({
  directory,
  reach,
  architecture,
}: {
  directory: string
  reach: readonly string[]
  architecture: string
}): string {
  const own: Record<string, string> = {
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Etc::sourcelist': `${directory}/sources.list`,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State': directory,
    'Dir::State::lists': `${directory}/lists`,
    'Dir::State::status': `${directory}/status`,
    'Dir::Cache': `${directory}/cache`,
    // One set of lists serves packages for all architectures too; which one it is does not matter then.
    'APT::Architecture': architecture === 'all' ? 'amd64' : architecture,
    // Root's apt would else download as _apt, who may not write in our directories.
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
    'APT::Get::AllowUnauthenticated': 'false',
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  }
  const lines = Object.entries(own).map(([name, value]) => `${name} "${value}";`)
  return `#clear APT::Architectures;\nAPT::Architectures { "${own['APT::Architecture']}"; };\n${[...lines, ...reach].join('\n')}\n`
}

/** What `--print-uris` says: `'http://.../x.deb' x.deb 1234 SHA256:...`, one file a line. */
export function downloadList(text: string): { uri: string; name: string; bytes: number }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^'([^']+)' (\S+) (\d+)/.exec(line)
    return match?.[1] && match[2] ? [{ uri: match[1], name: match[2], bytes: Number(match[3]) }] : []
  })
}

/** One .deb. */
export interface PackageVersion {
  name: string
  version: string
  sha256: string
}

/** What `apt-cache show` says, by package: the first stanza of each counts. */
export function packageVersions(text: string): Map<string, PackageVersion & { depends: string[] }> {
  const found = new Map<string, PackageVersion & { depends: string[] }>()
  for (const stanza of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1]
    const [name, version, sha256] = [field('Package'), field('Version'), field('SHA256')]
    const depends = (field('Depends') ?? '').split(/[,|]/).map((wish) => wish.trim().split(/[ (:]/)[0] ?? '')
    if (name && version && sha256 && !found.has(name))
      found.set(name, { name, version, sha256, depends: depends.filter((wish) => wish !== '') })
  }
  return found
}
