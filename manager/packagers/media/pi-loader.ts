const WFI = Buffer.from([0x7f, 0x20, 0x03, 0xd5])
const NOP = Buffer.from([0x1f, 0x20, 0x03, 0xd5])
const TEXT = '.text\0\0\0'

/**
 * iPXE for arm64, made fit for U-Boot. While it waits, iPXE halts the processor until an interrupt comes (`wfi`, its efi_nap.c); U-Boot
 * works without interrupts, so that it would never wake: the first `sleep`, prompt or unanswered packet was the end (tried: U-Boot 2025.01,
 * iPXE 1.21.1). Here each `wfi` of the code becomes a `nop`: iPXE waits by turning in its loop. Takes and gives a PE file (Microsoft PE
 * format §3, §4). Throws TypeError when it is none for arm64.
 */
export function withoutHalts(loader: Uint8Array): Uint8Array {
  const bytes = Buffer.from(loader)
  const text = textOf(bytes)
  for (let at = text.start; at + 4 <= text.end; at += 4) if (bytes.compare(WFI, 0, 4, at, at + 4) === 0) bytes.set(NOP, at)
  return bytes
}

/** Where the code lies in the file. */
function textOf(bytes: Buffer): { start: number; end: number } {
  const pe = bytes.length >= 64 && bytes.toString('latin1', 0, 2) === 'MZ' ? bytes.readUInt32LE(0x3c) : bytes.length
  if (pe + 24 > bytes.length || bytes.toString('latin1', pe, pe + 4) !== 'PE\0\0')
    throw new TypeError('this loader is no EFI program (PE file)')
  const machine = bytes.readUInt16LE(pe + 4)
  if (machine !== 0xaa64) throw new TypeError(`this loader is for machine type 0x${machine.toString(16)}; expected arm64 (0xaa64)`)
  const sections = bytes.readUInt16LE(pe + 6)
  const table = pe + 24 + bytes.readUInt16LE(pe + 20)
  for (let index = 0; index < sections; index++) {
    const entry = table + 40 * index
    if (entry + 40 > bytes.length) break
    if (bytes.toString('latin1', entry, entry + 8) !== TEXT) continue
    const start = bytes.readUInt32LE(entry + 20)
    return { start, end: Math.min(start + bytes.readUInt32LE(entry + 16), bytes.length) }
  }
  throw new TypeError('this loader has no section .text')
}
