/** One archive that apt reads binary packages from. */
export interface AptSource {
  /** File that names it. */
  file: string
  uri: string
  /** As written: a code name, an alias such as `stable`, or a path that ends in `/`. */
  suite: string
  components: string[]
  /** Path of a keyring, or the text of a key. */
  signedBy?: string | undefined
}

/** Sources that one file of `/etc/apt` names, in either of apt's forms (sources.list(5)); disabled ones and `deb-src` left out. */
export function parseSources(file: string, text: string): AptSource[] {
  return file.endsWith('.sources') ? parseDeb822(file, text) : parseOneLine(file, text)
}

function parseDeb822(file: string, text: string): AptSource[] {
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n(?:[ \t]*\n)+/)
    .map(parseStanza)
    .filter((stanza) => words(stanza.get('types')).includes('deb') && !/^(no|false|0|off|disable)$/i.test(stanza.get('enabled') ?? 'yes'))
    .flatMap((stanza) =>
      words(stanza.get('uris')).flatMap((uri) =>
        words(stanza.get('suites')).map((suite) => ({
          file,
          uri: withSlash(uri),
          suite,
          components: words(stanza.get('components')),
          signedBy: signedByOf(stanza.get('signed-by')),
        })),
      ),
    )
}

/** Fields by lower-case name; continuation lines are joined by newlines, a lone dot standing for an empty one (deb822(5)). */
function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  let name: string | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    const start = /^([^\s:]+):(.*)$/.exec(line)
    if (start) {
      name = (start[1] ?? '').toLowerCase()
      fields.set(name, (start[2] ?? '').trim())
    } else if (name !== undefined && /^[ \t]/.test(line)) {
      const more = line.trim() === '.' ? '' : line.trim()
      fields.set(name, `${fields.get(name)}\n${more}`)
    }
  }
  return fields
}

function parseOneLine(file: string, text: string): AptSource[] {
  return text.split('\n').flatMap((raw) => {
    const line = raw.replace(/#.*$/, '').trim()
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)(?:\s+(.*))?$/.exec(line)
    if (!match) return []
    const [, options, uri = '', suite = '', components] = match
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options ?? '')?.[1]
    return [{ file, uri: withSlash(uri), suite, components: words(components), signedBy }]
  })
}

const words = (text: string | undefined) => (text ?? '').split(/\s+/).filter((word) => word !== '')
const withSlash = (uri: string) => (uri.endsWith('/') ? uri : `${uri}/`)
const signedByOf = (text: string | undefined) => (text === undefined || text === '' ? undefined : text.trim())

/** One index that apt knows, by `apt-get indextargets --format INDEX_FORMAT`. */
export interface IndexTarget {
  uri: string
  release: string
  component: string
  /** These three come from the downloaded Release file; undefined before the first `apt-get update`. */
  origin?: string | undefined
  label?: string | undefined
  codename?: string | undefined
}

const FIELDS = ['CREATED_BY', 'REPO_URI', 'RELEASE', 'COMPONENT', 'ORIGIN', 'LABEL', 'CODENAME'] as const
export const INDEX_FORMAT = FIELDS.map((name) => `$(${name})`).join('\t')

/** Package indices only. apt leaves what it does not know as `$(NAME)`. */
export function parseIndexTargets(text: string): IndexTarget[] {
  return text.split('\n').flatMap((line) => {
    const values = line.split('\t').map((value, index) => (value === `$(${FIELDS[index]})` || value === '' ? undefined : value))
    const [createdBy, uri, release, component, origin, label, codename] = values
    if (createdBy !== 'Packages' || !uri || !release || !component) return []
    return [{ uri: withSlash(uri), release, component, origin, label, codename }]
  })
}
