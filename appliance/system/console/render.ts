/** All that the screen shows. */
export interface Screen {
  version: string
  board: string
  slot: string
  /** The site's name, or the box's. */
  name: string | undefined
  manager: string | undefined
  /** The line of the uplink: `connected`, `waits for a token`, ... */
  uplink: string
  /** While it is not enrolled: what a person types at the manager. */
  claim?: { code: string; url: string } | undefined
  interfaces: readonly { name: string; addresses: readonly string[]; role: string; carrier: boolean }[]
  lans: readonly { name: string; address: string; mode: string }[]
  page?: { urls: readonly string[]; credential: string; fingerprint: string } | undefined
  /** What needs a person, most urgent first. */
  troubles: readonly string[]
  /** What goes on: an update, an installation. */
  doing: readonly string[]
}

const COLUMNS = 80
const GAP = 2

/** The screen as lines of at most 80 columns. `qr`: lines of equal width, put on the right. Pure. */
export function renderScreen(screen: Screen, qr: readonly string[] = []): string[] {
  const qrWidth = Math.max(0, ...qr.map((line) => [...line].length))
  const width = qrWidth === 0 ? COLUMNS - 1 : COLUMNS - qrWidth - GAP
  const left = sections(screen).flatMap((line) => wrap(line, width))
  if (qrWidth === 0) return left
  const rows = Math.max(left.length, qr.length)
  return Array.from({ length: rows }, (_, row) => {
    const code = qr[row]
    return code === undefined ? (left[row] ?? '') : `${(left[row] ?? '').padEnd(width + GAP)}${code}`
  })
}

function sections(screen: Screen): string[] {
  const lines = [`Bridgehead ${screen.version}, ${screen.board}, slot ${screen.slot}`, '']
  for (const trouble of screen.troubles) lines.push(`!! ${trouble}`)
  if (screen.troubles.length > 0) lines.push('')
  lines.push(field('Site', screen.name ?? 'not known yet'))
  if (screen.manager !== undefined) lines.push(field('Manager', screen.manager))
  lines.push(field('Uplink', screen.uplink))
  if (screen.claim)
    lines.push('', field('Code', spaced(screen.claim.code)), `Type it in the manager's console, or open ${screen.claim.url}`, '')
  for (const one of screen.interfaces) {
    const what = one.addresses.length > 0 ? one.addresses.join(', ') : one.carrier ? 'no address' : 'no cable'
    lines.push(field(one.name, one.role === '' ? what : `${what} (${one.role})`))
  }
  for (const lan of screen.lans) lines.push(field(`LAN ${lan.name}`, `${lan.address}, ${lan.mode}`))
  for (const one of screen.doing) lines.push(field('Now', one))
  if (screen.page)
    lines.push(
      '',
      field('Local page', screen.page.urls.join(' ') || `port 8443`),
      field('Password', screen.page.credential),
      field('Its key', screen.page.fingerprint.replace(/(.{8})(?=.)/g, '$1 ')),
    )
  return lines.map(printable)
}

const INDENT = 12
const field = (name: string, value: string) => `${name.padEnd(INDENT - 1)} ${value}`

/** `ABCDEFGH` -> `ABCD-EFGH`: easier to read out. */
export const spaced = (code: string) => (/^[A-Z0-9]{8}$/.test(code) ? `${code.slice(0, 4)}-${code.slice(4)}` : code)

/** Names come from people and from the network: nothing in them may move the cursor. */
function printable(line: string): string {
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

/** Breaks at blanks where it can; what follows is indented as values are. */
function wrap(line: string, width: number): string[] {
  const lines: string[] = []
  for (let rest = line; ; ) {
    if (rest.length <= width) return [...lines, rest]
    const blank = rest.lastIndexOf(' ', width)
    const at = blank > INDENT ? blank : width
    lines.push(rest.slice(0, at).trimEnd())
    rest = `${' '.repeat(Math.min(INDENT, width >> 1))}${rest.slice(at).trimStart()}`
  }
}
