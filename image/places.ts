/** `grub/places` on the boot partition: where in it the files lie that are rewritten in place, past the file system (root/usr/lib/bridgehead/helper). */
export const PLACES_BYTES = 512

/** Lines `NAME OFFSET`, offsets in bytes from the partition's beginning; filled with newlines. */
export function formatPlaces(places: Readonly<Record<string, number>>): Uint8Array {
  const lines = Object.entries(places).map(([name, offset]) => `${name} ${offset}\n`)
  const bytes = new TextEncoder().encode(`# bridgehead: files that are rewritten in place\n${lines.join('')}`)
  if (bytes.length > PLACES_BYTES) throw new RangeError(`the places take ${bytes.length} bytes; expected at most ${PLACES_BYTES}`)
  const file = new Uint8Array(PLACES_BYTES).fill(0x0a)
  file.set(bytes)
  return file
}

/** Where the whole file lies in one piece, at a sector's beginning. Throws RangeError where it lies in pieces, or twice. */
export function placeIn(partition: Uint8Array, file: Uint8Array, name: string): number {
  const whole = Buffer.from(partition.buffer, partition.byteOffset, partition.byteLength)
  const found: number[] = []
  for (let at = whole.indexOf(file); at >= 0; at = whole.indexOf(file, at + 1)) if (at % 512 === 0) found.push(at)
  const [offset, ...more] = found
  if (offset === undefined || more.length > 0)
    throw new RangeError(
      `${name} lies in the file system ${offset === undefined ? 'in pieces' : `${found.length} times`}; expected once, in one piece`,
    )
  return offset
}
