import type { Db } from '../../store/store.ts'

/** A script to run on one host. Runs of one command share user, text and time-out. */
export interface RunOrder {
  /** Given twice, it is one run. */
  run: string
  command: string
  host: string
  user: string
  text: string
  /** From the first try to connect until the script has ended. */
  timeoutMs: number
}

/** Rows of `runs`: accepted -> started -> finished. `at` is when the row came into its state (epoch ms). All but `accepted` write. */
export interface Runs {
  accept(order: RunOrder, now: number): void
  /** The oldest accepted runs, in order; texts apart. */
  accepted(limit: number): Pick<RunOrder, 'run' | 'command' | 'host'>[]
  order(command: string): Pick<RunOrder, 'user' | 'text' | 'timeoutMs'> | undefined
  state(run: string): { state: string; host: string } | undefined
  /** False when it was not in `accepted` any more: then the script must not be sent. */
  start(run: string, now: number): boolean
  /** False when it was finished before. */
  finish(run: string, now: number): boolean
  /** Runs that a restart cut off. */
  interrupted(): { run: string; host: string; at: number }[]
  forget(before: number): void
}

export function createRuns(db: Db): Runs {
  const insertOrder = db.prepare('INSERT INTO run_orders (command, user, text, timeout_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const insert = db.prepare("INSERT INTO runs (id, command, host, state, at) VALUES (?, ?, ?, 'accepted', ?) ON CONFLICT DO NOTHING")
  const accepted = db.prepare<[number], { run: string; command: string; host: string }>(
    "SELECT id AS run, command, host FROM runs WHERE state = 'accepted' ORDER BY at, id LIMIT ?",
  )
  const order = db.prepare<[string], { user: string; text: string; timeoutMs: number }>(
    'SELECT user, text, timeout_ms AS timeoutMs FROM run_orders WHERE command = ?',
  )
  const state = db.prepare<[string], { state: string; host: string }>('SELECT state, host FROM runs WHERE id = ?')
  const start = db.prepare("UPDATE runs SET state = 'started', at = ? WHERE id = ? AND state = 'accepted'")
  const finish = db.prepare("UPDATE runs SET state = 'finished', at = ? WHERE id = ? AND state <> 'finished'")
  const dropOrder = db.prepare(`
    DELETE FROM run_orders WHERE command = (SELECT command FROM runs WHERE id = @run)
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.command = run_orders.command AND state <> 'finished')`)
  const interrupted = db.prepare<[], { run: string; host: string; at: number }>(
    "SELECT id AS run, host, at FROM runs WHERE state = 'started' ORDER BY at, id",
  )
  const forget = db.prepare("DELETE FROM runs WHERE state = 'finished' AND at < ?")
  return {
    accept(one, now) {
      if (insert.run(one.run, one.command, one.host, now).changes > 0) insertOrder.run(one.command, one.user, one.text, one.timeoutMs)
    },
    accepted: (limit) => accepted.all(limit),
    order: (command) => order.get(command),
    state: (run) => state.get(run),
    start: (run, now) => start.run(now, run).changes > 0,
    finish(run, now) {
      if (finish.run(now, run).changes === 0) return false
      dropOrder.run({ run })
      return true
    },
    interrupted: () => interrupted.all(),
    forget: (before) => void forget.run(before),
  }
}
