import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { encodeGpt, encodeGuid, type Piece, SECTOR_BYTES } from './gpt.ts'
import { diskBytes, diskIds, LAYOUT, partitionsOf, patchBiosBoot } from './layout.ts'

const ids = diskIds('recipe')
const rootMiB = 100
const sectors = diskBytes(rootMiB) / SECTOR_BYTES
const partitions = partitionsOf({ architecture: 'x86_64', rootMiB, ids })

/** The disk that the pieces make. */
function disk(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(sectors * SECTOR_BYTES)
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset)
  return bytes
}

test('both headers and both tables check, and point at each other (UEFI 2.10 §5.3.2)', () => {
  const bytes = disk(encodeGpt({ sectors, id: ids.disk, partitions }))
  const view = new DataView(bytes.buffer)
  for (const [self, other] of [
    [1, sectors - 1],
    [sectors - 1, 1],
  ] as const) {
    const at = self * SECTOR_BYTES
    expect(new TextDecoder().decode(bytes.subarray(at, at + 8))).toBe('EFI PART')
    expect([view.getBigUint64(at + 24, true), view.getBigUint64(at + 32, true)]).toEqual([BigInt(self), BigInt(other)])
    const header = bytes.slice(at, at + 92)
    header.fill(0, 16, 20)
    expect(view.getUint32(at + 16, true)).toBe(crc32(header))
    const table = Number(view.getBigUint64(at + 72, true)) * SECTOR_BYTES
    expect(view.getUint32(at + 88, true)).toBe(crc32(bytes.subarray(table, table + 128 * 128)))
    expect(view.getBigUint64(table + 2 * 128 + 32, true)).toBe(BigInt(LAYOUT.root.offset / SECTOR_BYTES))
  }
  expect([...bytes.subarray(510, 512)]).toEqual([0x55, 0xaa])
  expect(bytes[450]).toBe(0xee)
  expect(
    bytes.subarray(0, 440).every((byte) => byte === 0),
    'room for boot code',
  ).toBe(true)
})

test('a UUID lies on disk with its first three fields reversed', () => {
  expect(Buffer.from(encodeGuid('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')).toString('hex')).toBe('28732ac11ff8d211ba4b00a0c93ec93b')
  expect(() => encodeGuid('nonsense')).toThrow(/expected a UUID/)
})

test('partitions lie in order, 1 MiB aligned, without overlap, the root last', () => {
  let end = 0
  for (const { first, last } of partitions) {
    expect(first % 2048).toBe(0)
    expect(first).toBeGreaterThan(end)
    end = last
  }
  expect(partitions.at(-1)).toMatchObject({ name: 'root', id: ids.root, type: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709' })
  expect(partitionsOf({ architecture: 'arm64', rootMiB, ids }).at(-1)?.type).toBe('b921b045-1df0-41c3-af44-4c6f280d3fae')
})

test('a partition that reaches into the table is refused', () => {
  expect(() => encodeGpt({ sectors: sectors - 2048, id: ids.disk, partitions })).toThrow(/"root" .* lies outside/)
})

test('identifiers depend on the recipe alone, and are UUIDs of version 8', () => {
  expect(diskIds('recipe')).toEqual(ids)
  expect(diskIds('another').root).not.toBe(ids.root)
  for (const id of Object.values(ids)) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('the BIOS stages learn where the next one lies', () => {
  const { boot, core } = patchBiosBoot({ bootImg: new Uint8Array(512).fill(7), coreImg: new Uint8Array(2000) })
  expect(boot.length).toBe(440)
  expect(new DataView(boot.buffer).getBigUint64(0x5c, true)).toBe(2048n)
  expect(new DataView(core.buffer).getBigUint64(0x1f4, true)).toBe(2049n)
  expect(boot[0x5b]).toBe(7)
  expect(boot[0x64]).toBe(7)
})

for (const { what, boot, core, message } of [
  { what: 'a boot.img of another size', boot: 400, core: 600, message: /boot.img of 512/ },
  { what: 'a core.img that is too large', boot: 512, core: 1_048_577, message: /room is for/ },
])
  test(`${what} is refused`, () =>
    expect(() => patchBiosBoot({ bootImg: new Uint8Array(boot), coreImg: new Uint8Array(core) })).toThrow(message))
