import { expect, test } from 'vitest'
import { encodeLog, indexLog, type ReadAt, WriteLogError } from './write-log.ts'

const sector = (fill: number, count = 1) => new Uint8Array(512 * count).fill(fill)
const over =
  (bytes: Buffer): ReadAt =>
  (into, at) =>
    bytes.copy(into, 0, at)

test('entries are found in order, with where their data lies', () => {
  const log = encodeLog([{ offset: 1024, bytes: sector(1, 2) }, 'flush', { offset: 0, bytes: sector(2) }])
  expect(indexLog(over(log), log.length).entries).toEqual([
    { kind: 'write', fua: false, offset: 1024, bytes: 1024, data: 1024, end: 2048 },
    { kind: 'flush', fua: false, offset: 0, bytes: 0, data: 2560, end: 2560 },
    { kind: 'write', fua: false, offset: 0, bytes: 512, data: 3072, end: 3584 },
  ])
})

test('a log whose writer was killed ends before the entry that is not whole', () => {
  const log = encodeLog([{ offset: 0, bytes: sector(1) }, 'flush', { offset: 0, bytes: sector(2, 4) }])
  expect(indexLog(over(log), log.length - 1).entries).toHaveLength(2)
  const hole = Buffer.concat([log.subarray(0, 512 * 3), Buffer.alloc(512 * 4)])
  expect(indexLog(over(hole), hole.length).entries).toHaveLength(1)
})

test.each([
  ['an empty file', Buffer.alloc(0)],
  ['zeros', Buffer.alloc(4096)],
  ['another version', encodeLog([]).fill(9, 8, 9)],
  ['unknown flags', Buffer.from(encodeLog(['flush'])).fill(0x40, 512 + 16, 512 + 17)],
])('%s is no write log', (_, bytes) => {
  expect(() => indexLog(over(bytes), bytes.length)).toThrow(WriteLogError)
})
