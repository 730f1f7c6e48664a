import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import type { Manager } from './api.ts'
import { factOf } from './fact-stream.ts'
import { Failure } from './failure.ts'
import { openStream } from './streams.ts'
import type { World } from './world.ts'

/** A manager whose answers the test gives: text is sent and the connection ends; `open`: it stays silent; an error: it does not answer. */
function managerOf(answers: (string | { open: string } | Error)[]) {
  const asked: (string | null)[] = []
  const fetch: Manager['fetch'] = async (_, init) => {
    // deaf to its signal, as one that was forgotten
    asked.push(new Headers(init?.headers).get('last-event-id'))
    const answer = answers.shift() ?? new Error('nothing more')
    if (answer instanceof Error) throw answer
    const text = typeof answer === 'string' ? answer : answer.open
    const body = new ReadableStream<Uint8Array>({
      start(into) {
        into.enqueue(new TextEncoder().encode(text))
        if (typeof answer === 'string') into.close()
      },
    })
    return new Response(body)
  }
  const manager: Manager = { url: '', api: {} as Manager['api'], fetch, fetchOutside: fetch }
  return { manager, asked }
}

function worldOf(clock = { ...steppedClock(), sleep: async () => {} }) {
  let said = ''
  const out = { write: (text: string) => (said += text) }
  const world: World = {
    ...{ env: {}, stdin: (async function* () {})(), stdout: out, stderr: out, clock, ask: undefined },
    interrupt: () => new AbortController().signal,
  }
  return { world, said: () => said }
}

async function take(stream: AsyncGenerator<{ data: string }>, count: number): Promise<string[]> {
  const found: string[] = []
  for await (const { data } of stream) if (found.push(data) === count) break
  return found
}
const signal = new AbortController().signal

test('it goes on from the last id, also from one that came without data', async () => {
  const { manager, asked } = managerOf([
    'id: 4\n\n',
    'id: 5\ndata: a\n\n',
    new Failure('away', { code: 'unreachable' }),
    'id: 6\ndata: b\n\n',
  ])
  const { world, said } = worldOf()
  expect(await take(await openStream(manager, '/x', world, { signal }), 2)).toEqual(['a', 'b'])
  expect(asked).toEqual([null, '4', '5', '5'])
  const lost = 'the connection to the manager is lost; trying again (Ctrl-C ends this)\nthe connection is back\n'
  expect(said()).toBe(lost + lost)
})

test('a connection that says nothing for too long is cut, and made anew', async () => {
  const clock = { ...steppedClock(), sleep: async () => {} }
  const { manager } = managerOf([{ open: 'data: a\n\n' }, 'data: b\n\n'])
  const stream = await openStream(manager, '/x', worldOf(clock).world, { signal, quietMs: 45_000 })
  expect((await stream.next()).value).toMatchObject({ data: 'a' })
  const next = stream.next()
  await new Promise((resolve) => setTimeout(resolve, 100)) // it waits by now
  clock.advance(45_000)
  expect((await next).value).toMatchObject({ data: 'b' })
  await stream.return(undefined)
})

test('Ctrl-C ends it at once, quietly', async () => {
  const stop = new AbortController()
  const { manager } = managerOf([{ open: 'data: a\n\n' }])
  const { world, said } = worldOf()
  const found = take(await openStream(manager, '/x', world, { signal: stop.signal }), 2)
  await new Promise((resolve) => setTimeout(resolve, 100)) // it waits by now
  stop.abort()
  expect([await found, said()]).toEqual([['a'], ''])
})

test('what will not pass ends it; so does the end, when once was enough', async () => {
  const gone = new Failure('the manager does not know this API key', { code: 'unauthenticated' })
  const { manager } = managerOf(['data: a\n\n', gone])
  await expect(take(await openStream(manager, '/x', worldOf().world, { signal }), 2)).rejects.toBe(gone)
  await expect(openStream(managerOf([gone]).manager, '/x', worldOf().world, { signal })).rejects.toBe(gone)
  expect(await take(await openStream(managerOf(['data: a\n\n']).manager, '/x', worldOf().world, { signal, once: true }), 9)).toEqual(['a'])
})

test('a fact that is newer than this command is passed on without words', () => {
  const told = { seq: 1, site: 's', id: '01a20000-0000-7000-8000-00000000000a', at: 1, host: null }
  expect(factOf({ ...told, kind: 'state.applied', data: { revision: 3 } }).event).toMatchObject({ data: { revision: 3 } })
  expect(factOf({ ...told, kind: 'moon.rose', data: {} }).event).toBeUndefined()
  expect(factOf({ ...told, kind: 'boot.stage', data: { boot: 'b', stage: 'levitate' } })).toMatchObject({
    kind: 'boot.stage',
    event: undefined,
  })
})
