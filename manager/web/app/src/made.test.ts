import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { followed, logText, reasonOf, withLines } from './parts/made.ts'
import { openStream, type Source } from './stream.ts'

test('two at most are followed: what is being made before what waits, oldest first', () => {
  const items = [
    { hash: 'newest', state: 'waiting' },
    { hash: 'older', state: 'waiting' },
    { hash: 'made', state: 'making' },
    { hash: 'ready', state: 'ready' },
    { hash: 'failed', state: 'failed' },
  ] as const
  expect([...followed(items)]).toEqual(['made', 'older'])
  expect([...followed(items.slice(3))]).toEqual([])
})

test('a line that comes twice is there once; a page keeps no endless log', () => {
  const line = (id: number) => ({ id, text: `${id}` })
  const first = withLines([], [line(1), line(2)])
  expect(withLines(first, [line(2), line(3)]).map(({ id }) => id)).toEqual([1, 2, 3])
  expect(withLines(first, [line(2)])).toBe(first)
  const many = withLines(
    first,
    Array.from({ length: 6_000 }, (_, index) => line(index + 10)),
  )
  expect([many.length, many.at(-1)?.id]).toEqual([5_000, 6_009])
})

test('a log shows when each line was written', () => {
  const lines = [{ id: 1_795_000_000_123_456, text: 'cc -c one.c' }]
  expect(logText(lines, (at) => at.toISOString())).toBe('2026-11-18T11:06:40.123Z cc -c one.c')
})

test('a long reason is a line on the page, and whole below it', () => {
  expect([reasonOf(), reasonOf('oops')]).toEqual([{ line: 'failed' }, { line: 'oops' }])
  expect(reasonOf('x '.repeat(400))).toEqual({ line: `${'x '.repeat(150).trimEnd()} ...`, whole: 'x '.repeat(400) })
})

/** Sources that the test drives. */
function fakeSources() {
  const opened: (Source & { url: string; listeners: Map<string, (message: { data: string; lastEventId: string }) => void> })[] = []
  const open = (url: string): Source => {
    const listeners = new Map<string, (message: { data: string; lastEventId: string }) => void>()
    const source = {
      ...{ url, listeners, readyState: 1, onopen: null, onerror: null },
      addEventListener: (event: string, take: (message: { data: string; lastEventId: string }) => void) => void listeners.set(event, take),
      close() {
        source.readyState = 2
      },
    }
    opened.push(source)
    return source
  }
  return { open, opened }
}
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a stream that was refused is asked for again, after the last line that came', () => {
  const { open, opened } = fakeSources()
  const got: string[] = []
  const said: string[] = []
  const close = openStream('/progress', {
    take: { log: (data) => got.push(data) },
    lost: () => said.push('lost'),
    opened: () => said.push('open'),
    open,
  })
  opened[0]?.onopen?.()
  opened[0]?.listeners.get('log')?.({ data: 'a', lastEventId: '7' })
  opened[0]?.onerror?.() // cut: the browser itself comes back
  vi.advanceTimersByTime(10_000)
  expect(opened).toHaveLength(1)
  opened[0]?.close() // refused: it gave up
  opened[0]?.onerror?.()
  vi.advanceTimersByTime(10_000)
  expect(opened.map(({ url }) => url)).toEqual(['/progress', '/progress?after=7'])
  opened[1]?.listeners.get('log')?.({ data: 'b', lastEventId: '8' })
  expect([got, said]).toEqual([
    ['a', 'b'],
    ['open', 'lost', 'lost'],
  ])
  opened[1]?.onerror?.()
  close()
  vi.advanceTimersByTime(10_000)
  expect([opened.length, opened[1]?.readyState]).toEqual([2, 2])
})
