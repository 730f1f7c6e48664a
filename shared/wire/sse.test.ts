import { expect, test } from 'vitest'
import { sseReader } from './sse.ts'

test('a message may come in pieces, comments are passed over', () => {
  const read = sseReader()
  expect(read(': still here\n\nid: 7\neve')).toEqual([])
  expect(read('nt: boot.stage\ndata: {"a":\ndata: 1}\n\nid: 8\n')).toEqual([{ id: '7', event: 'boot.stage', data: '{"a":\n1}' }])
  expect(read('data: x\n\n')).toEqual([{ id: '8', event: 'message', data: 'x' }])
})

test('an id alone says from where to resume', () => {
  expect(sseReader()('id: 12\n\n')).toEqual([{ id: '12', event: 'message', data: '' }])
})
