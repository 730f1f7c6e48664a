const DYNAMIC = 2
const LOAD = 1
const TAG = { end: 0, needed: 1, strings: 5 }

/**
 * Names of the shared libraries that a program or library loads at its start (DT_NEEDED, ELF-64 object file format §"Dynamic section"), such as
 * `libm.so.6`; none for a static one. Undefined for what is no 64-bit little-endian ELF file.
 */
export function neededBy(bytes: Uint8Array): string[] | undefined {
  if (bytes.length < 64 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) return undefined
  if (bytes[4] !== 2 || bytes[5] !== 1) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const u64 = (at: number) => Number(view.getBigUint64(at, true))
  const headers = Array.from({ length: view.getUint16(56, true) }, (_, index) => u64(32) + index * view.getUint16(54, true))
  const segments = headers.map((at) => ({
    type: view.getUint32(at, true),
    offset: u64(at + 8),
    address: u64(at + 16),
    bytes: u64(at + 32),
  }))
  const dynamic = segments.find(({ type }) => type === DYNAMIC)
  if (!dynamic) return []
  const needed: number[] = []
  let strings = 0
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.bytes; at += 16) {
    const tag = u64(at)
    if (tag === TAG.end) break
    if (tag === TAG.needed) needed.push(u64(at + 8))
    if (tag === TAG.strings) strings = u64(at + 8)
  }
  const home = segments.find(({ type, address, bytes: length }) => type === LOAD && strings >= address && strings < address + length)
  const table = home ? strings - home.address + home.offset : strings
  return needed.map((offset) => textAt(bytes, table + offset))
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at)
  return new TextDecoder('latin1').decode(bytes.subarray(at, end < 0 ? undefined : end))
}

/** All libraries that `programs` need, and those that these need, sorted. `libraries`: file name -> what it needs. Throws RangeError on a gap. */
export function closeLibraries(
  programs: ReadonlyMap<string, readonly string[]>,
  libraries: ReadonlyMap<string, readonly string[]>,
): string[] {
  const chosen = new Set<string>()
  const add = (name: string, by: string) => {
    if (chosen.has(name)) return
    const needs = libraries.get(name)
    if (!needs) throw new RangeError(`${by} needs ${name}, which none of the packages has`)
    chosen.add(name)
    for (const need of needs) add(need, name)
  }
  for (const [program, needs] of programs) for (const need of needs) add(need, program)
  return [...chosen].sort()
}
