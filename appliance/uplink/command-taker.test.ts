import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Command } from '@bridgehead/shared/model/command.ts'
import { signDocument } from '@bridgehead/shared/model/signed.ts'
import { expect, test } from 'vitest'
import { createOutbox } from '../store/outbox.ts'
import { openStore } from '../store/store.ts'
import { createCommandTaker, judgeCommand } from './command-taker.ts'
import { createSigningKey } from './identity.ts'
import { commandOf, MANAGER, NOW, publicOf, SITE } from './samples.ts'

let ids = 0
function taker(handle: (command: Command) => void = () => {}) {
  const store = openStore(':memory:')
  const clock = steppedClock(NOW)
  const outbox = createOutbox(store.db, { clock, newId: () => `event-${ids++}` })
  const done: string[] = []
  const commands = createCommandTaker({
    site: SITE,
    trusted: () => [publicOf(MANAGER)],
    handle: (command) => {
      handle(command)
      done.push(command.id)
    },
    store,
    outbox,
    clock,
    log: silentLog,
  })
  const refused = () => outbox.peek(100).map(({ event }) => (JSON.parse(event) as { data: { command: string; why: string } }).data)
  return { commands, done, refused, clock, store }
}
const signed = (over: object = {}, key = MANAGER) => signDocument('command', commandOf(over), key)

test('an order that comes three times is carried out once', async () => {
  const { commands, done } = taker()
  const jws = await signed()
  await Promise.all([commands.take(jws), commands.take(jws)])
  await commands.take(jws)
  expect(done).toEqual([commandOf().id])
})

test('a refused order is told once, however often it comes', async () => {
  const { commands, done, refused } = taker()
  const forged = await signed({}, createSigningKey())
  const late = await signed({ deadline: NOW - 1 })
  for (const jws of [forged, late, 'rubbish', forged, late, 'rubbish']) await commands.take(jws)
  expect(done).toEqual([])
  expect(refused().map(({ command }) => command.slice(0, 7))).toEqual(['sha256:', '0190000', 'sha256:'])
})

test('an order whose handler fails is refused and leaves nothing behind', async () => {
  const { commands, refused, store } = taker(() => {
    store.db.prepare("INSERT INTO kv VALUES ('half', '1')").run()
    throw new Error('no such host')
  })
  await commands.take(await signed())
  expect(refused()).toEqual([{ command: commandOf().id, why: 'could not be carried out: no such host' }])
  expect(store.db.prepare("SELECT count(*) AS n FROM kv WHERE key = 'half'").get()).toEqual({ n: 0 })
})

test('ids are forgotten a week after their deadline, and the deadline refuses a replay then', async () => {
  const { commands, done, refused, clock, store } = taker()
  const jws = await signed()
  await commands.take(jws)
  clock.advance(8 * 86_400_000)
  await commands.take(await signed({ id: '01900000-0000-7000-8000-0000000000c2', deadline: clock.now() + 1 }))
  expect(store.db.prepare('SELECT count(*) AS n FROM commands').get()).toEqual({ n: 1 })
  await commands.take(jws)
  expect(done).toHaveLength(2)
  expect(refused()).toHaveLength(1)
})

for (const { order, value, why } of [
  { order: 'for another site', value: commandOf({ site: '01900000-0000-7000-8000-00000000000b' }), why: /meant for site/ },
  { order: 'one second late', value: commandOf({ deadline: NOW - 1000 }), why: /came 1 s after its deadline/ },
  { order: 'of an unknown kind', value: commandOf({ order: { kind: 'explode' } }), why: /order/ },
  { order: 'without an id', value: commandOf({ id: undefined }), why: /id/ },
  { order: 'from a newer protocol', value: commandOf({ protocol: 99 }), why: /protocol 99/ },
  { order: 'that is no object', value: 7, why: /does not fit/ },
])
  test(`an order ${order} is refused`, () => {
    expect(judgeCommand(value, { site: SITE, now: NOW })).toMatchObject({ good: false, why: expect.stringMatching(why) })
  })
