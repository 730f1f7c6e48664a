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
  /** Forgets what Redis has taken. */
  drop(upToSeq: number): void
  size(): number
  /** Called after facts were added (at most once a turn). */
  onAdd(listener: () => void): void
}

export function createOutbox(db: Db, { clock, newId }: { clock: Clock; newId: NewId }): Outbox {
  const insert = db.prepare('INSERT INTO outbox (id, event) VALUES (?, ?)')
  const oldest = db.prepare<[number], { seq: number; id: string; event: string }>('SELECT seq, id, event FROM outbox ORDER BY seq LIMIT ?')
  const remove = db.prepare('DELETE FROM outbox WHERE seq <= ?')
  const count = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM outbox')
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
    peek: (limit) => oldest.all(limit),
    drop: (upToSeq) => void remove.run(upToSeq),
    size: () => count.get()?.n ?? 0,
    onAdd: (listener) => void listeners.push(listener),
  }
}
