import { createLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { plainLines } from './plain-lines.ts'
import { reasons } from './reasons.ts'

function shown(fields: Record<string, unknown>): string {
  const lines: string[] = []
  createLog({ name: 'worker', stream: { write: (line) => void lines.push(plainLines(line)) } }).warn('job.failed', fields)
  return lines.join('')
}

test.each([
  { text: 'plain values as they are', fields: { job: 'abc', ms: 12 }, is: 'job=abc ms=12' },
  { text: 'text with spaces in quotes', fields: { why: 'disk full' }, is: 'why="disk full"' },
  { text: 'lists by commas', fields: { queues: ['build', 'package'] }, is: 'queues=build,package' },
  { text: 'errors by their message', fields: { error: new Error('no such\nthing') }, is: 'error="no such\\nthing"' },
  { text: 'secrets not at all', fields: { password: 'hunter2' }, is: 'password=[secret]' },
])('a line shows $text', ({ fields, is }) =>
  expect(shown(fields)).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d warn  job.failed ${escaped(is)}\n$`)),
)

test('what is no log line stays as it is', () => {
  expect(plainLines('Segmentation fault\n')).toBe('Segmentation fault\n')
  expect(plainLines('{"a":1}\n')).toBe('{"a":1}\n')
})

test('reasons say each thing once', () => {
  const error = new Error('Redis: WRONGPASS', { cause: new Error('WRONGPASS', { cause: new Error('two\nlines') }) })
  expect(reasons(error)).toEqual(['Redis: WRONGPASS', 'two', 'lines'])
  expect(reasons('odd')).toEqual(['odd'])
})

function escaped(text: string): string {
  return text.replace(/[\\[\]"]/g, '\\$&')
}
