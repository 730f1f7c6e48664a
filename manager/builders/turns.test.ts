import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

const idle = new AbortController().signal
const tick = () => new Promise((resolve) => setImmediate(resolve))

test('one after the other by name, side by side otherwise', async () => {
  const turns = createTurns()
  const events: string[] = []
  const gates = new Map<string, () => void>()
  const task = (name: string) => () =>
    new Promise<string>((resolve) => {
      events.push(`${name} begins`)
      gates.set(name, () => resolve(name))
    })
  const first = turns.take('x', idle, task('first'))
  const second = turns.take('x', idle, task('second'))
  const other = turns.take('y', idle, task('other'))
  await tick()
  expect(events).toEqual(['first begins', 'other begins'])
  gates.get('first')?.()
  expect(await first).toBe('first')
  await tick()
  expect(events.at(-1)).toBe('second begins')
  for (const name of ['second', 'other']) gates.get(name)?.()
  expect(await Promise.all([second, other])).toEqual(['second', 'other'])
})

test('a failed task is no obstacle for the next', async () => {
  const turns = createTurns()
  const failed = turns.take('x', idle, () => Promise.reject(new Error('no')))
  const next = turns.take('x', idle, async () => 'yes')
  await expect(failed).rejects.toThrow('no')
  expect(await next).toBe('yes')
})

test('who gives up waiting lets the others keep their turn', async () => {
  const turns = createTurns()
  const stop = new AbortController()
  const first = Promise.withResolvers<string>()
  const running = turns.take('x', idle, () => first.promise)
  const waiting = turns.take('x', stop.signal, async () => 'never')
  const third = turns.take('x', idle, async () => 'third')
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  let early = false
  void third.then(() => {
    early = true
  })
  await tick()
  expect(early).toBe(false)
  first.resolve('first')
  expect(await Promise.all([running, third])).toEqual(['first', 'third'])
})
