import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { splitLines } from './lines.ts'

const split = async (...chunks: (string | Buffer)[]) => {
  const lines: string[] = []
  await splitLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), (line) => void lines.push(line))
  return lines
}

for (const { what, chunks, lines } of [
  { what: 'lines over chunk borders', chunks: ['a\nb', 'c\n', 'd'], lines: ['a', 'bc', 'd'] },
  { what: 'a character over a chunk border', chunks: [Buffer.from([0xe2, 0x80]), Buffer.from([0x98, 0x0a])], lines: ['‘'] },
  { what: 'empty lines', chunks: ['\n\na\n'], lines: ['', '', 'a'] },
  { what: 'colours, bells and carriage returns', chunks: ['\x1b[31merror\x1b[0m\x07\r\n'], lines: ['error'] },
  { what: 'nothing', chunks: [], lines: [] },
])
  test(`reads ${what}`, async () => expect(await split(...chunks)).toEqual(lines))

test('a line without end comes in pieces', async () => {
  const lines = await split('x'.repeat(40_000), '\nshort\n')
  expect(lines.map((line) => line.length)).toEqual([16_384, 16_384, 7_232, 5])
})
