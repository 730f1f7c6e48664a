import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import { createOutbox, KEPT } from './outbox.ts'
import { openStore } from './store.ts'

function outbox() {
  const store = openStore(':memory:')
  let ids = 0
  const box = createOutbox(store.db, { clock: steppedClock(), newId: () => `id-${ids++}` })
  const add = (count: number) =>
    store.write(() => {
      for (let n = 0; n < count; n++) box.add('state.applied', { revision: n })
    })
  const drop = (count: number) => store.write(() => box.drop(box.peek(count).at(-1)?.seq ?? 0))
  const rows = () => (store.db.prepare('SELECT count(*) AS n FROM outbox').get() as { n: number }).n
  return { store, box, add, drop, rows }
}

test('what was dropped is not offered again, and what was not is offered in order', async () => {
  const { box, add, drop } = outbox()
  await add(5)
  await drop(2)
  expect(box.peek(2).map((row) => row.id)).toEqual(['id-2', 'id-3'])
  expect(box.size()).toBe(3)
})

test('a rewind offers the last ones again, or all that are kept', async () => {
  const { store, box, add, drop } = outbox()
  await add(5)
  await drop(4)
  await store.write(() => box.rewind(2))
  expect(box.peek(10).map((row) => row.id)).toEqual(['id-2', 'id-3', 'id-4'])
  await store.write(() => box.rewind())
  expect(box.size()).toBe(5)
})

test('no more than the last ones are kept', async () => {
  const { store, box, add, drop, rows } = outbox()
  await add(KEPT + 100)
  await drop(KEPT + 100)
  expect(rows()).toBe(KEPT)
  await store.write(() => box.rewind())
  expect(box.size()).toBe(KEPT)
})

test('a mark that is rolled back is forgotten', async () => {
  const { store, box, add } = outbox()
  await add(3)
  const failing = store.write(() => {
    box.drop(2)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(box.size()).toBe(3)
})

test('listeners are called once a turn, after the commit', async () => {
  const { store, box, add } = outbox()
  const seen: boolean[] = []
  box.onAdd(() => seen.push(store.db.inTransaction))
  await add(10)
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual([false])
})
