import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { createJobs, type JobContext, type JobStatus, type Jobs } from '@bridgehead/manager/engines/jobs/jobs.ts'
import type { QueueName } from '@bridgehead/manager/engines/jobs/queues.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { freePort } from './free-port.ts'
import { killRedis } from './kill-redis.ts'

let directory: string
let redis: RedisServer

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-jobs-'))
  redis = createRedis({ directory, port: await freePort(), bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
  await redis.start()
})
const started: Jobs[] = []
afterEach(async () => {
  for (const jobs of started.splice(0)) await jobs.stop()
})
afterAll(async () => {
  await redis.stop()
  await rm(directory, { recursive: true })
})

const Data = z.object({ steps: z.int(), hold: z.boolean().default(false), fail: z.boolean().default(false) })

/** A manager's jobs with one kind that counts its runs; `hold` lasts until the signal aborts or `release` is called. */
function counting() {
  const runs = new Map<string, number>()
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const jobs = createJobs({ redis, log: silentLog, clock: systemClock })
  started.push(jobs)
  const kind = jobs.defineJob('count', Data, async ({ steps, hold, fail }, { id, progress, log, signal }) => {
    runs.set(id, (runs.get(id) ?? 0) + 1)
    for (let step = 1; step <= steps; step++) {
      await progress(step / steps, `step ${step}`)
      await log(`did step ${step}`)
    }
    if (hold) await Promise.race([released, new Promise((resolve) => signal.addEventListener('abort', resolve))])
    signal.throwIfAborted()
    if (fail) throw new Error('the mirror is out of reach')
  })
  return { jobs, kind, runs, release: () => release() }
}

async function last(statuses: AsyncIterable<JobStatus>): Promise<JobStatus[]> {
  const seen: JobStatus[] = []
  for await (const one of statuses) seen.push(one)
  return seen
}

test('a job runs once however often it was asked for, and is followed to its end', async () => {
  const { jobs, kind, runs, release } = counting()
  await jobs.start()
  const data = Data.parse({ steps: 3, hold: true })
  await Promise.all([1, 2, 3].map(() => jobs.enqueue(kind, data, { id: 'once' })))
  const following = last(jobs.follow('once'))
  await expect.poll(async () => (await jobs.status('once'))?.text).toBe('step 3')
  expect(await jobs.list({ states: ['active'] })).toMatchObject([{ id: 'once', name: 'count', state: 'active' }])
  release()
  const seen = await following
  expect(seen.at(-1)).toMatchObject({ state: 'completed', fraction: 1, lines: ['did step 1', 'did step 2', 'did step 3'] })
  expect(runs.get('once')).toBe(1)
  expect(await last(jobs.follow('once'))).toHaveLength(1)
  expect(await last(jobs.follow('nobody'))).toEqual([])
  await jobs.enqueue(kind, { ...data, hold: false }, { id: 'once' }) // its result may have been deleted since
  await expect.poll(() => runs.get('once')).toBe(2)
})

test('lines are had from any place on, in the order in which they were written, and begin anew with the job', async () => {
  const { jobs, kind } = counting()
  await jobs.start()
  expect(await jobs.linesAfter('lines', 0)).toEqual([])
  await jobs.enqueue(kind, Data.parse({ steps: 300 }), { id: 'lines' })
  await last(jobs.follow('lines'))
  const all = await jobs.linesAfter('lines', 0)
  expect(all.map(({ text }) => text)).toEqual(Array.from({ length: 300 }, (_, index) => `did step ${index + 1}`))
  for (const at of [0, 150, 298, 299]) expect(await jobs.linesAfter('lines', all[at]?.id ?? 0)).toEqual(all.slice(at + 1))
  await jobs.enqueue(kind, Data.parse({ steps: 1 }), { id: 'lines' })
  await last(jobs.follow('lines'))
  expect(await jobs.linesAfter('lines', all.at(-1)?.id ?? 0)).toMatchObject([{ text: 'did step 1' }])
})

test('a job that fails says why, and may be asked for again', async () => {
  const { jobs, kind, runs } = counting()
  await jobs.start()
  await jobs.enqueue(kind, Data.parse({ steps: 1, fail: true }), { id: 'failing' })
  expect((await last(jobs.follow('failing'))).at(-1)).toMatchObject({ state: 'failed', error: 'the mirror is out of reach' })
  await jobs.enqueue(kind, Data.parse({ steps: 1 }), { id: 'failing' })
  expect((await last(jobs.follow('failing'))).at(-1)).toMatchObject({ state: 'completed', error: undefined })
  expect(runs.get('failing')).toBe(2)
})

test('running and waiting jobs can be cancelled, ended ones not', async () => {
  const { jobs, kind, runs } = counting()
  await jobs.start()
  const holding = Data.parse({ steps: 1, hold: true })
  for (const id of ['run-a', 'run-b', 'wait-c']) await jobs.enqueue(kind, holding, { id })
  await expect.poll(() => runs.size).toBe(2) // as many as may run at once
  const following = [last(jobs.follow('run-a')), last(jobs.follow('wait-c'))]
  await expect.poll(async () => (await jobs.status('wait-c'))?.state).toBe('waiting')
  for (const id of ['wait-c', 'run-a', 'run-b']) expect(await jobs.cancel(id)).toBe(true)
  for (const seen of await Promise.all(following)) expect(seen.at(-1)).toMatchObject({ state: 'cancelled', error: undefined })
  expect(runs.has('wait-c')).toBe(false)
  await expect.poll(async () => (await jobs.list({ states: ['cancelled'] })).map((job) => job.id).sort()).toEqual(['run-a', 'run-b'])
  expect(await jobs.cancel('run-a')).toBe(false)
  expect(await jobs.cancel('nobody')).toBe(false)
})

test('a job under way when the manager stops goes on at the next start', async () => {
  const first = counting()
  await first.jobs.start()
  await first.jobs.enqueue(first.kind, Data.parse({ steps: 1, hold: true }), { id: 'long' })
  await expect.poll(() => first.runs.get('long')).toBe(1)
  await first.jobs.stop()
  const second = counting()
  second.release()
  await second.jobs.start()
  expect((await last(second.jobs.follow('long'))).at(-1)).toMatchObject({ state: 'completed' })
  expect(second.runs.get('long')).toBe(1)
})

test('killing Redis in the middle of a job loses neither the job nor the ones behind it', async () => {
  const { jobs, kind, runs, release } = counting()
  await jobs.start()
  await jobs.enqueue(kind, Data.parse({ steps: 1, hold: true }), { id: 'survivor' })
  await expect.poll(() => runs.get('survivor')).toBe(1)
  await killRedis(redis)
  release()
  await jobs.enqueue(kind, Data.parse({ steps: 1 }), { id: 'behind' })
  for (const id of ['survivor', 'behind']) expect((await last(jobs.follow(id))).at(-1)).toMatchObject({ id, state: 'completed' })
})

test('a job of a manager that was killed runs again after the next start', async () => {
  const own = join(directory, 'killed')
  const port = await freePort()
  const victim = spawn(process.execPath, ['test/interop/jobs-manager.ts', own, String(port), 'orphan'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(victim.stdout, 'data')
  victim.kill('SIGKILL')
  await once(victim, 'exit')
  const next = createRedis({ directory: own, port, bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
  await next.start()
  const jobs = createJobs({ redis: next, log: silentLog, clock: systemClock })
  jobs.defineJob('endless', z.object({}), async () => {})
  const since = Date.now()
  await jobs.start()
  expect((await last(jobs.follow('orphan'))).at(-1)).toMatchObject({ state: 'completed' })
  process.stdout.write(`jobs: an orphaned job ran again after ${Date.now() - since} ms\n`)
  await jobs.stop()
  await next.stop()
})

/** Two processes on one Redis: one asks, the other, with one queue alone, does the work. */
function askerAndWorker(handler: (context: JobContext) => Promise<void>) {
  const processOf = (options: { queues?: QueueName[]; work?: QueueName[] }) => {
    const jobs = createJobs({ redis, log: silentLog, clock: systemClock, ...options })
    started.push(jobs)
    return { jobs, kind: jobs.defineJob('make', z.object({}), (_, context) => handler(context), { queue: 'build' }) }
  }
  return { asker: processOf({ work: [] }), worker: processOf({ queues: ['build'] }) }
}

test('a job waits for a process that works on its queue; its progress and lines are followed from elsewhere', async () => {
  const { asker, worker } = askerAndWorker(async ({ progress, log }) => {
    await progress(0.5, 'halfway')
    await log('cc -c one.c')
    await systemClock.sleep(300)
    await log('cc -c two.c')
    await systemClock.sleep(300)
  })
  await asker.jobs.start()
  await asker.jobs.enqueue(asker.kind, {}, { id: 'elsewhere' })
  const seen: { at: number; lines: number }[] = []
  const following = (async () => {
    for await (const { lines } of asker.jobs.follow('elsewhere')) seen.push({ at: Date.now(), lines: lines.length })
  })()
  await systemClock.sleep(300)
  expect(await asker.jobs.status('elsewhere')).toMatchObject({ state: 'waiting', queue: 'build' })
  await worker.jobs.start()
  await following
  expect(await asker.jobs.status('elsewhere')).toMatchObject({ state: 'completed', text: 'halfway', lines: ['cc -c one.c', 'cc -c two.c'] })
  const first = seen.find((one) => one.lines === 1)?.at ?? Number.NaN
  const second = seen.find((one) => one.lines === 2)?.at ?? Number.NaN
  expect(second - first, 'told, not found by looking again, which is done every 2 s').toBeLessThan(1_900)
  expect(await asker.jobs.list({ states: ['completed'] })).toContainEqual(expect.objectContaining({ id: 'elsewhere', queue: 'build' }))
})

test('a job that runs in another process is cancelled soon, and may be asked for again', async () => {
  let abortedAt = 0
  let runs = 0
  const { asker, worker } = askerAndWorker(async ({ signal }) => {
    if (++runs > 1) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    abortedAt = Date.now()
    signal.throwIfAborted()
  })
  await Promise.all([asker.jobs.start(), worker.jobs.start()])
  await asker.jobs.enqueue(asker.kind, {}, { id: 'far' })
  await expect.poll(() => runs).toBe(1)
  const following = last(asker.jobs.follow('far'))
  const since = Date.now()
  expect(await asker.jobs.cancel('far')).toBe(true)
  expect((await following).at(-1)).toMatchObject({ state: 'cancelled' })
  expect(abortedAt - since).toBeLessThan(10_000) // within a second on an idle machine
  expect(await asker.jobs.cancel('far')).toBe(false)
  await asker.jobs.enqueue(asker.kind, {}, { id: 'far' })
  expect((await last(asker.jobs.follow('far'))).at(-1)).toMatchObject({ state: 'completed' })
})

test('a kind that a process has not, or whose queue it does not see, is told so', async () => {
  const { asker, worker } = askerAndWorker(async () => {})
  const odd = asker.jobs.defineJob('newer', z.object({}), async () => {}, { queue: 'build' })
  const unseen = worker.jobs.defineJob('other', z.object({}), async () => {}, { queue: 'package' })
  await Promise.all([asker.jobs.start(), worker.jobs.start()])
  await asker.jobs.enqueue(odd, {}, { id: 'odd' })
  expect((await last(asker.jobs.follow('odd'))).at(-1)).toMatchObject({ state: 'failed', error: expect.stringContaining('"newer"') })
  await expect(worker.jobs.enqueue(unseen, {}, { id: 'unseen' })).rejects.toThrow('"package"')
})

test('bad input is refused by name', async () => {
  const { jobs, kind } = counting()
  expect(() => jobs.defineJob('count', Data, async () => {})).toThrow('"count"')
  await expect(jobs.enqueue(kind, Data.parse({ steps: 1 }), { id: 'early' })).rejects.toThrow('before they were started')
  await jobs.start()
  for (const id of ['', 'a:b', '123', 'x'.repeat(129)])
    await expect(jobs.enqueue(kind, Data.parse({ steps: 1 }), { id }), id).rejects.toThrow('job id')
  await expect(jobs.enqueue(kind, { steps: 0.5, hold: false, fail: false }, { id: 'half' })).rejects.toThrow('int')
})
