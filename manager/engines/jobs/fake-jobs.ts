import type { Jobs, LogLine } from './jobs.ts'
import type { JobStatus } from './status.ts'

/** For tests: jobs that nobody works on. `set` says what became of one; each has the line `a line`, until `log` writes another. */
export interface FakeJobs extends Pick<Jobs, 'defineJob' | 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'> {
  all: Map<string, JobStatus>
  set(id: string, change: Partial<JobStatus>): void
  log(id: string, text: string): void
}

/** `live`: who follows a job hears of every change until it ends, as with real ones; otherwise once, how it is. */
export function fakeJobs({ live = false } = {}): FakeJobs {
  const all = new Map<string, JobStatus>()
  const logs = new Map<string, LogLine[]>()
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of [...listeners]) listener()
  }
  const set = (id: string, change: Partial<JobStatus>) => {
    const before = all.get(id)
    all.set(id, { id, name: 'fake', state: 'waiting', fraction: 0, text: '', lines: ['a line'], createdAt: 0, ...before, ...change })
    tell()
  }
  return {
    all,
    set,
    log(id, text) {
      const lines = [...(logs.get(id) ?? []), { id: (logs.get(id)?.at(-1)?.id ?? 0) + 1, text }]
      logs.set(id, lines)
      set(id, { lines: lines.map((line) => line.text), lastLine: lines.at(-1)?.id })
    },
    defineJob: (name, schema) => ({ name, schema }),
    async enqueue(kind, data, { id }) {
      kind.schema.parse(JSON.parse(JSON.stringify(data))) // as it comes out of Redis
      all.delete(id)
      logs.delete(id)
      set(id, { name: kind.name })
      return id
    },
    status: async (id) => all.get(id),
    linesAfter: async (id, after) => (logs.get(id) ?? []).filter((line) => line.id > after),
    async cancel(id) {
      set(id, { state: 'cancelled' })
      return true
    },
    async *follow(id, signal) {
      for (let news = 1; !signal?.aborted; ) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const status = all.get(id)
        if (status) yield status
        if (!live || !status || (status.state !== 'waiting' && status.state !== 'active')) return
        if (news-- > 0) continue // once more: it may have changed while nobody listened
        listeners.add(resolve)
        signal?.addEventListener('abort', () => resolve())
        await promise
        listeners.delete(resolve)
        news = 1
      }
    },
  }
}
