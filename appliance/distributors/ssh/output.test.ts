import { expect, test } from 'vitest'
import { Output, PART_BYTES, TOTAL_BYTES } from './output.ts'

const text = (output: Output, stream = 'stdout') =>
  output
    .take()
    .flatMap((part) => (part.stream === stream ? [part.text] : []))
    .join('')

test('parts keep the order of both streams and are counted through', () => {
  const output = new Output()
  output.add('stdout', Buffer.from('a'))
  output.add('stdout', Buffer.from('b'))
  output.add('stderr', Buffer.from('c'))
  output.add('stdout', Buffer.from('d'))
  expect(output.take()).toEqual([
    { seq: 0, stream: 'stdout', text: 'ab' },
    { seq: 1, stream: 'stderr', text: 'c' },
    { seq: 2, stream: 'stdout', text: 'd' },
  ])
  output.add('stdout', Buffer.from('e'))
  expect(output.take()).toEqual([{ seq: 3, stream: 'stdout', text: 'e' }])
})

test('a character that comes in pieces is whole, also when the other stream speaks in between', () => {
  const output = new Output()
  const bytes = Buffer.from('😀')
  output.add('stdout', bytes.subarray(0, 2))
  output.add('stderr', Buffer.from('x'))
  output.add('stdout', bytes.subarray(2))
  expect(output.take().map((part) => part.text)).toEqual(['x', '😀'])
})

test('bytes that are no text become replacement characters, a cut end too', () => {
  const output = new Output()
  output.add('stdout', Buffer.from([0x61, 0xff, 0xf0, 0x9f]))
  output.end()
  expect(text(output)).toBe('a\ufffd\ufffd')
})

test('no part is longer than 16 KiB, and none is cut inside a character', () => {
  const output = new Output()
  const long = '😀é€a'.repeat(20_000)
  output.add('stdout', Buffer.from(long))
  const parts = output.take()
  expect(Math.max(...parts.map((part) => Buffer.byteLength(part.text)))).toBeLessThanOrEqual(PART_BYTES)
  expect(parts.map((part) => part.text).join('')).toBe(long)
})

test('after 1 MiB one note follows, and nothing else', () => {
  const output = new Output()
  let taken = ''
  for (let round = 0; round < 300; round++) {
    output.add('stdout', Buffer.alloc(8192, 'x'))
    taken += output
      .take()
      .map((part) => part.text)
      .join('')
  }
  output.end()
  expect(taken.replace(/x/g, '')).toBe('\n[the script printed more than 1024 KiB; the rest was dropped]\n')
  expect(taken.length).toBeLessThanOrEqual(TOTAL_BYTES + 100)
  expect(output.take()).toEqual([])
})
