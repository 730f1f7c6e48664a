import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { createOutbox } from '../store/outbox.ts'
import { openStore, type Store } from '../store/store.ts'
import { createSigningKey } from './identity.ts'
import { MANAGER, publicOf, SITE, stateOf } from './samples.ts'
import { createStateKeeper } from './state-keeper.ts'

let ids = 0
function keeper(store: Store = openStore(':memory:'), applyInWrite: (state: SiteState) => void = () => {}) {
  const outbox = createOutbox(store.db, { clock: steppedClock(), newId: () => `event-${ids++}` })
  const states = createStateKeeper({ site: SITE, managerKeys: [publicOf(MANAGER)], applyInWrite, store, outbox, log: silentLog })
  const heard: number[] = []
  states.onState((state) => heard.push(state.revision))
  const events = () => outbox.peek(100).map(({ event }) => JSON.parse(event) as { kind: string; data: { revision?: number; why?: string } })
  return { store, states, heard, events }
}
const signed = (over: object = {}, key: PrivateKey = MANAGER) => signDocument('state', stateOf(over), key)

test('a good state is stored, told and heard once, however often it is offered', async () => {
  const { states, heard, events } = keeper()
  const jws = await signed({ revision: 2 })
  await Promise.all([states.offer(jws), states.offer(jws)])
  expect(heard).toEqual([2])
  expect(events()).toMatchObject([{ kind: 'state.applied', data: { revision: 2 } }])
})

test('a refused state is told once per content', async () => {
  const { states, heard, events } = keeper()
  await states.offer('rubbish')
  await states.offer('rubbish')
  await states.offer(await signed({ site: '01900000-0000-7000-8000-00000000000b' }))
  expect(heard).toEqual([])
  expect(events().map((event) => event.kind)).toEqual(['state.refused', 'state.refused'])
})

test('a command is no state, whoever signed it', async () => {
  const { states, events } = keeper()
  await states.offer(await signDocument('command', stateOf(), MANAGER))
  expect(events()[0]?.data.why).toMatch(/expected a signed state/)
})

test('a restart verifies the stored state again and runs on it', async () => {
  const first = keeper()
  await first.states.offer(await signed({ revision: 7 }))
  const second = keeper(first.store)
  expect(await second.states.load()).toMatchObject({ revision: 7 })
  expect(second.heard).toEqual([7])
  expect(second.states.revision()).toBe(7)
})

test('a restart on a full disk runs on the stored state all the same', async () => {
  const first = keeper()
  await first.states.offer(await signed({ revision: 7 }))
  const second = keeper(first.store, () => {
    throw new Error('database or disk is full')
  })
  expect(await second.states.load()).toMatchObject({ revision: 7 })
  expect(second.heard).toEqual([7])
})

test('a stored state that was tampered with is not run, and its revision stays the floor', async () => {
  const first = keeper()
  await first.states.offer(await signed({ revision: 7 }))
  await first.store.write((db) => db.prepare("UPDATE kv SET value = value || 'A' WHERE key = 'state'").run())
  const second = keeper(first.store)
  expect(await second.states.load()).toBeUndefined()
  await second.states.offer(await signed({ revision: 6 }))
  expect(second.heard).toEqual([])
  await second.states.offer(await signed({ revision: 7 }))
  expect(second.heard).toEqual([7])
})

test('a state that the records refuse leaves nothing half-applied', async () => {
  const { states, heard, events, store } = keeper(openStore(':memory:'), ({ revision }) => {
    store.db.prepare("INSERT INTO kv VALUES ('half', '1')").run()
    if (revision === 3) throw new Error('no room')
  })
  await states.offer(await signed({ revision: 3 }))
  expect(heard).toEqual([])
  expect(states.revision()).toBe(0)
  expect(events()).toMatchObject([{ kind: 'state.refused', data: { revision: 3, why: 'could not be applied: no room' } }])
  expect(store.db.prepare("SELECT count(*) AS n FROM kv WHERE key IN ('half', 'state')").get()).toEqual({ n: 0 })
})

test('keys rotate with an overlap, and the old one loses its power', async () => {
  const next = createSigningKey()
  const { states, heard, events, store } = keeper()
  await states.offer(await signed({ revision: 1, managerKeys: [publicOf(MANAGER), publicOf(next)] }))
  await states.offer(await signed({ revision: 2, managerKeys: [publicOf(next)] }, next))
  expect(states.trusted().map((key) => key.kid)).toEqual([next.kid])
  await states.offer(await signed({ revision: 3 }))
  expect(heard).toEqual([1, 2])
  expect(events().at(-1)?.data.why).toMatch(/does not trust/)
  expect(await keeper(store).states.load()).toMatchObject({ revision: 2 })
})

test('a state that names only the next key still verifies after a restart', async () => {
  const next = createSigningKey()
  const first = keeper()
  await first.states.offer(await signed({ revision: 1, managerKeys: [publicOf(next)] }))
  expect(await keeper(first.store).states.load()).toMatchObject({ revision: 1 })
})

test('the same content under another trusted key is the same state', async () => {
  const next = createSigningKey()
  const both = { managerKeys: [publicOf(MANAGER), publicOf(next)] }
  const { states, heard, events } = keeper()
  await states.offer(await signed(both))
  await states.offer(await signed(both, next))
  expect(heard).toEqual([1])
  expect(events().map((event) => event.kind)).toEqual(['state.applied'])
})
