import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import type { Bus } from './bus.ts'

const BATCH = 200

/**
 * Sends every waiting fact, in order, and marks what Redis has taken; resolves when nothing waits. At least once: a batch whose
 * answer was lost is sent again, and the manager takes each id once. Rejects when the session breaks.
 */
export async function pumpEvents({ bus, store, outbox }: { bus: Pick<Bus, 'sendEvents'>; store: Store; outbox: Outbox }): Promise<number> {
  // Read inside a write, which resolves after the commit: a fact must be on our disk before anyone else hears of it.
  let batch = await store.write(() => outbox.peek(BATCH))
  let sent = 0
  for (let last = batch.at(-1); last !== undefined; last = batch.at(-1)) {
    await bus.sendEvents(batch.map((row) => row.event))
    sent += batch.length
    const { seq } = last
    batch = await store.write(() => {
      outbox.drop(seq)
      return outbox.peek(BATCH)
    })
  }
  return sent
}
