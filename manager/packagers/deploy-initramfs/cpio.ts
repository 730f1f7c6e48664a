/** One member of an archive. `path` is relative, without a leading slash. */
export type CpioEntry =
  | { path: string; kind: 'directory'; mode?: number }
  | { path: string; kind: 'file'; mode?: number; bytes: Uint8Array }
  | { path: string; kind: 'link'; target: string }
  | { path: string; kind: 'device'; mode?: number; major: number; minor: number }

const TYPE = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 }
const MODE = { directory: 0o755, file: 0o644, link: 0o777, device: 0o600 }

/**
 * A `newc` cpio archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst): sorted by path, missing
 * parent directories added, all owned by root, all of one time, so that equal contents are equal bytes. Throws RangeError on a path
 * twice. `mtime`: seconds since 1970.
 *
 *   "070701" | 13 fields of 8 hexadecimal digits | name NUL, padded to 4 | data, padded to 4
 */
export function encodeCpio(entries: readonly CpioEntry[], { mtime = 0 }: { mtime?: number } = {}): Uint8Array {
  const members = new Map<string, CpioEntry>()
  for (const entry of entries) {
    if (members.has(entry.path)) throw new RangeError(`two entries are named "${entry.path}"`)
    members.set(entry.path, entry)
  }
  for (const { path } of entries)
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const parent = path.slice(0, cut)
      if (!members.has(parent)) members.set(parent, { path: parent, kind: 'directory' })
    }
  const sorted = [...members.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  const parts = sorted.map((entry, index) => encodeMember(entry, index + 1, mtime))
  parts.push(member({ name: 'TRAILER!!!', ino: 0, mode: 0, links: 1, mtime: 0, major: 0, minor: 0, data: EMPTY }))
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function encodeMember(entry: CpioEntry, ino: number, mtime: number): Uint8Array {
  const mode = TYPE[entry.kind] | (('mode' in entry ? entry.mode : undefined) ?? MODE[entry.kind])
  const data = entry.kind === 'file' ? entry.bytes : entry.kind === 'link' ? encoder.encode(entry.target) : EMPTY
  const { major, minor } = entry.kind === 'device' ? entry : { major: 0, minor: 0 }
  return member({ name: entry.path, ino, mode, links: entry.kind === 'directory' ? 2 : 1, mtime, major, minor, data })
}

interface Member {
  name: string
  ino: number
  mode: number
  links: number
  mtime: number
  major: number
  minor: number
  data: Uint8Array
}

function member({ name, ino, mode, links, mtime, major, minor, data }: Member): Uint8Array {
  const bytes = encoder.encode(`${name}\0`)
  const fields = [ino, mode, 0, 0, links, mtime, data.length, 0, 0, major, minor, bytes.length, 0]
  const head = encoder.encode(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  const dataAt = pad4(head.length + bytes.length)
  const out = new Uint8Array(dataAt + pad4(data.length))
  out.set(head)
  out.set(bytes, head.length)
  out.set(data, dataAt)
  return out
}

const encoder = new TextEncoder()
const EMPTY = new Uint8Array()
const pad4 = (length: number) => (length + 3) & ~3
