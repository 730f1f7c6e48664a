import type { Jobs } from './jobs.ts'
import type { JobStatus } from './status.ts'

/** For tests: jobs that nobody works on. `set` says what became of one; each has the line `a line`. */
export interface FakeJobs extends Pick<Jobs, 'defineJob' | 'enqueue' | 'status' | 'cancel' | 'follow'> {
  all: Map<string, JobStatus>
  set(id: string, change: Partial<JobStatus>): void
}

export function fakeJobs(): FakeJobs {
  const all = new Map<string, JobStatus>()
  const set = (id: string, change: Partial<JobStatus>) => {
    const before = all.get(id)
    all.set(id, { id, name: 'fake', state: 'waiting', fraction: 0, text: '', lines: ['a line'], createdAt: 0, ...before, ...change })
  }
  return {
    all,
    set,
    defineJob: (name, schema) => ({ name, schema }),
    async enqueue(kind, data, { id }) {
      kind.schema.parse(JSON.parse(JSON.stringify(data))) // as it comes out of Redis
      all.delete(id)
      set(id, { name: kind.name })
      return id
    },
    status: async (id) => all.get(id),
    async cancel(id) {
      set(id, { state: 'cancelled' })
      return true
    },
    async *follow(id) {
      const status = all.get(id)
      if (status) yield status
    },
  }
}
