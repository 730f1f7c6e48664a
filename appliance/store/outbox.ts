import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { EventData, EventKind } from '@bridgehead/shared/model/event.ts'
import type { Db } from './store.ts'

/** Facts on their way to the manager. */
export interface Outbox {
  /** Adds a fact. Call it inside `store.write`, beside the change that it tells of, so that both are kept or neither. */
  add<K extends EventKind>(kind: K, data: EventData<K>, host?: string): void
  /** The oldest unsent facts, in order. */
  peek(limit: number): { seq: number; id: string; event: string }[]
  /** Marks as sent what Redis has taken. The last `KEPT` stay, in case Redis loses them before the manager has them. Inside `store.write`. */
  drop(upToSeq: number): void
  /** Makes the last `count` sent facts unsent again (all that are kept, unless told); the manager takes each id once. Inside `store.write`. */
  rewind(count?: number): void
  /** How many are unsent. */
  size(): number
  /** Called after facts were added (at most once a turn). */
  onAdd(listener: () => void): void
}

/** Sent facts that are kept: Redis is a pipe and may lose its memory, which must lose nothing. About 2 MB. */
export const KEPT = 5_000

export function createOutbox(db: Db, { clock, newId }: { clock: Clock; newId: NewId }): Outbox {
  const insert = db.prepare('INSERT INTO outbox (id, event) VALUES (?, ?)')
  const oldest = db.prepare<[number, number], { seq: number; id: string; event: string }>(
    'SELECT seq, id, event FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?',
  )
  const remove = db.prepare('DELETE FROM outbox WHERE seq <= ?')
  const count = db.prepare<[number], { n: number }>('SELECT count(*) AS n FROM outbox WHERE seq > ?')
  const readSent = db.prepare<[], { value: string }>("SELECT value FROM kv WHERE key = 'outbox.sent'")
  const writeSent = db.prepare("INSERT INTO kv VALUES ('outbox.sent', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
  /** The last seq that Redis has taken. Read each time: a write may be rolled back. */
  const sent = () => Number(readSent.get()?.value ?? 0)
  const listeners: (() => void)[] = []
  let told = false
  return {
    add(kind, data, host) {
      const id = newId()
      insert.run(id, JSON.stringify({ id, at: clock.now(), kind, ...(host === undefined ? {} : { host }), data }))
      if (told) return
      told = true
      setImmediate(() => {
        told = false
        for (const listener of listeners) listener()
      })
    },
    peek: (limit) => oldest.all(sent(), limit),
    drop(upToSeq) {
      writeSent.run(String(upToSeq))
      remove.run(upToSeq - KEPT)
    },
    rewind: (back = KEPT) => void writeSent.run(String(Math.max(0, sent() - back))),
    size: () => count.get(sent())?.n ?? 0,
    onAdd: (listener) => void listeners.push(listener),
  }
}
