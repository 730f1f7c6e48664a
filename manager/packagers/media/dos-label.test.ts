import { expect, test } from 'vitest'
import { type DosPartition, encodeDosLabel } from './dos-label.ts'

const fat: DosPartition = { type: 0x0c, firstSector: 2048, sectors: 81_920, active: true }

test('a label names disk, type, first sector and size, little-endian', () => {
  const label = Buffer.from(encodeDosLabel({ id: 0x12345678, partitions: [fat] }))
  expect(label.subarray(0, 440).every((byte) => byte === 0)).toBe(true)
  expect(label.toString('hex', 440)).toBe(`785634120000${'80feffff0cfeffff0008000000400100'}${'00'.repeat(48)}55aa`)
})

for (const { label, partitions } of [
  { label: 'five partitions', partitions: [1, 2, 3, 4, 5].map((n) => ({ ...fat, firstSector: n * 100_000 })) },
  { label: 'a partition over the label itself', partitions: [{ ...fat, firstSector: 0 }] },
  { label: 'overlapping partitions', partitions: [fat, { ...fat, firstSector: 4096 }] },
  { label: 'a partition beyond 2 TiB', partitions: [{ ...fat, firstSector: 0xffffffff }] },
])
  test(`${label}: refused`, () => {
    expect(() => encodeDosLabel({ id: 1, partitions })).toThrow(RangeError)
  })
