import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { chunksOf, type Segment, sliceSegments, totalOf } from './segments.ts'

const OBJECT = Buffer.from('0123456789')
const PIECES: readonly Segment[] = [
  { kind: 'object', sha256: 'o', start: 2, bytes: 5 },
  { kind: 'memory', data: Buffer.from('abcd') },
  { kind: 'zeros', bytes: 3 },
  { kind: 'object', sha256: 'o', start: 0, bytes: 0 },
  { kind: 'object', sha256: 'o', start: 9, bytes: 1 },
]
const WHOLE = '23456abcd\0\0\x009'
let opened: Readable[] = []
const read = async (_: string, { start, end }: { start: number; end: number }) => {
  const one = Readable.from([...OBJECT.subarray(start, end + 1)].map((byte) => Buffer.from([byte])))
  opened.push(one)
  return one
}
async function text(pieces: readonly Segment[]): Promise<string> {
  const found: Uint8Array[] = []
  for await (const chunk of chunksOf(pieces, read)) found.push(chunk)
  return Buffer.concat(found).toString('latin1')
}

test('pieces follow each other', async () => {
  expect(totalOf(PIECES)).toBe(WHOLE.length)
  expect(await text(PIECES)).toBe(WHOLE)
})

test('every range of them is that part of the whole', async () => {
  for (let start = 0; start < WHOLE.length; start++)
    for (let end = start; end < WHOLE.length; end++) {
      const slice = sliceSegments(PIECES, start, end)
      expect([start, end, await text(slice), totalOf(slice)]).toEqual([start, end, WHOLE.slice(start, end + 1), end - start + 1])
    }
  expect(sliceSegments(PIECES, 5, 4)).toEqual([])
  expect(await text(sliceSegments(PIECES, 11, 999))).toBe('\x009')
})

test('a reader that goes away closes what is open', async () => {
  opened = []
  const chunks = chunksOf(PIECES, read)
  await chunks.next()
  await chunks.return(undefined)
  expect(opened.map((one) => one.destroyed)).toEqual([true])
})
