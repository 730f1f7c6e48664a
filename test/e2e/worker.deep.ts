import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEBIAN_SOURCES, findBuild, planBuild } from '@bridgehead/manager/builders/build.ts'
import { type BuilderJobs, registerBuilderJobs } from '@bridgehead/manager/builders/jobs.ts'
import { type BuildManifest, BuildRequest, buildKey } from '@bridgehead/manager/builders/model.ts'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { createJobs, type Jobs } from '@bridgehead/manager/engines/jobs/jobs.ts'
import { createWorkerAccess } from '@bridgehead/manager/engines/jobs/worker-access.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, CompileManifest, defineCompile, marker } from '../interop/compile-kind.ts'
import { freePort } from '../interop/free-port.ts'
import { processesWith, type RunningWorker, startWorkerProcess } from '../interop/worker-lab.ts'

const KILLS = 20
const BUILD_MS = 3_000
const REAL_KILLS = 20
const WORKER: [string, ...string[]] = [process.execPath, 'test/interop/worker-process.ts']

let directory: string
let redis: RedisServer
let access: Service
let jobs: Jobs
let kind: ReturnType<typeof defineCompile>
let real: BuilderJobs

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-kills-'))
  await mkdir(join(directory, 'bucket'))
  const deps = { log: silentLog, clock: systemClock }
  redis = createRedis({ directory: join(directory, 'redis'), port: await freePort(), bind: ['127.0.0.1'], ...deps })
  access = createWorkerAccess({ redis, directory: join(directory, 'redis'), log: silentLog })
  jobs = createJobs({ redis, ...deps, work: [] })
  kind = defineCompile(jobs)
  real = registerBuilderJobs(jobs, { bucket: openBucket(), apt: machineApt(), ...deps, workDirectory: directory, sources: DEBIAN_SOURCES })
  for (const service of [redis, access, jobs]) await service.start()
})
afterAll(async () => {
  for (const service of [jobs, access, redis]) await service.stop()
  await rm(directory, { recursive: true })
})

/** Every document names artifacts that are there, whole and right: at each moment of the campaign. */
async function wholeArtifacts(): Promise<number> {
  const bucket = openBucket()
  let count = 0
  for await (const key of bucket.listDocuments('compiled/')) {
    const { outputs } = CompileManifest.parse(await bucket.getDocument(key))
    expect(outputs.map((output) => output.name)).toEqual(['one.efi', 'two.efi'])
    for (const { name, sha256, bytes } of outputs) {
      const right = Buffer.concat(blocksOf(key.slice('compiled/'.length, -'.json'.length), name))
      expect([sha256, bytes]).toEqual([createHash('sha256').update(right).digest('hex'), right.length])
      const hash = createHash('sha256')
      for await (const piece of await bucket.get(sha256)) hash.update(piece)
      expect(hash.digest('hex'), `${key} ${name}`).toBe(sha256)
    }
    count++
  }
  for await (const { sha256 } of bucket.list()) {
    const hash = createHash('sha256')
    for await (const piece of await bucket.get(sha256)) hash.update(piece)
    expect(hash.digest('hex')).toBe(sha256) // nothing half under a name, named by a document or not
  }
  return count
}

/** A bucket as the manager sees it. */
function openBucket() {
  return testBucket(join(directory, 'bucket'), systemClock)
}

/** Whoever is at a build now, by the last line of its log that says so. */
async function workerAt(id: string): Promise<number | undefined> {
  const status = await jobs.status(id)
  if (status?.state !== 'active') return undefined
  return Number(status.lines.findLast((line) => line.startsWith('worker '))?.slice('worker '.length)) || undefined
}

test(`kill -9 of a worker in mid-build, ${KILLS} times: every job ends right, nothing half is seen, no process is left`, async () => {
  const workers = new Map<number, RunningWorker>()
  const start = async () => {
    const worker = await startWorkerProcess(WORKER, { BRIDGEHEAD_DATA: directory })
    workers.set(worker.pid, worker)
  }
  const admin = redis.connect()
  await admin.call('ACL', 'LOG', 'RESET')
  await Promise.all([start(), start()])
  const dead: number[] = []
  const deaths = new Map<string, number>()
  const killedAt = new Map<string, number>()
  const resumedAfter: number[] = []
  /** A job that was orphaned is back once it waits (perhaps for a worker that is busy), or is built by a living one. */
  const resumed = async () => {
    for (const [id, at] of killedAt) {
      const state = (await jobs.status(id))?.state
      const by = await workerAt(id)
      if (state === 'active' && (by === undefined || dead.includes(by))) continue
      resumedAfter.push(Date.now() - at)
      killedAt.delete(id)
    }
  }
  const ids: string[] = []

  while (dead.length < KILLS) {
    const id = `build-${ids.length}`
    ids.push(id)
    await jobs.enqueue(kind, { name: id, ms: BUILD_MS }, { id })
    // Whichever job is being built by then: jobs of killed workers come back between the others, and may be hit again.
    const atWork: { pid: number; job: string }[] = []
    while (atWork.length === 0) {
      await systemClock.sleep(50)
      await resumed()
      for (const job of ids) {
        const pid = await workerAt(job)
        if (pid !== undefined && workers.has(pid)) atWork.push({ pid, job })
      }
    }
    const victim = atWork[Math.floor(Math.random() * atWork.length)]
    await systemClock.sleep(Math.random() * (BUILD_MS + 500)) // at the compiler or at the bucket
    if (!victim || (await workerAt(victim.job)) !== victim.pid) continue // it was faster
    const worker = workers.get(victim.pid)
    worker?.kill('SIGKILL')
    await worker?.ended
    workers.delete(victim.pid)
    dead.push(victim.pid)
    killedAt.set(victim.job, Date.now())
    deaths.set(victim.job, (deaths.get(victim.job) ?? 0) + 1)
    await expect.poll(() => processesWith(marker(victim.pid)), { timeout: 2_000 }).toEqual([])
    await wholeArtifacts()
    await start()
  }
  for (const id of ids) {
    for (let state = ''; state !== 'completed'; await systemClock.sleep(200)) {
      const status = await jobs.status(id)
      expect(status?.state, `${id}: ${status?.error}`).not.toBe('failed')
      state = status?.state ?? ''
      await resumed()
    }
    expect((await jobs.status(id))?.state).toBe('completed')
  }
  expect(await wholeArtifacts()).toBe(ids.length)
  expect(Math.max(...resumedAfter)).toBeLessThan(20_000)
  expect(await admin.call('ACL', 'LOG')).toEqual([])
  admin.disconnect()

  for (const worker of workers.values()) worker.kill('SIGTERM')
  expect(await Promise.all([...workers.values()].map((worker) => worker.ended))).toEqual([0, 0])
  for (const pid of [...dead, ...workers.keys()]) expect(await processesWith(marker(pid))).toEqual([])
  expect(await readdir(join(directory, 'work'))).toEqual([])
  const seconds = resumedAfter.map((ms) => ms / 1000).sort((a, b) => a - b)
  console.log(
    `kill -9: ${dead.length} workers, one job up to ${Math.max(...deaths.values())} times; ${ids.length} jobs right, resumed after ${seconds[0]?.toFixed(1)} to ${seconds.at(-1)?.toFixed(1)} s`,
  )
})

test('the command, killed over and over while it compiles SYSLINUX, ends with the binaries that an undisturbed one makes', async () => {
  const command: [string, ...string[]] = ['manager/cli/bridgehead', 'worker', '--json', '--queues', 'build']
  const bucket = openBucket()
  const plan = await planBuild(BuildRequest.parse({ builder: 'syslinux' }), { bucket, sources: DEBIAN_SOURCES })
  const done = async (): Promise<BuildManifest> => {
    for await (const status of jobs.follow(plan.hash)) expect(status.state, status.error).not.toBe('failed')
    const manifest = await findBuild(bucket, plan.hash)
    if (!manifest) throw new Error('no build is in the bucket')
    return manifest
  }

  const start = () => startWorkerProcess(command, { BRIDGEHEAD_DATA: directory })
  const stop = async (worker: RunningWorker) => {
    worker.kill('SIGTERM')
    expect(await worker.ended).toBe(0)
  }

  let killed = 0
  await jobs.enqueue(real.build, plan, { id: plan.hash })
  for (let kills = 0; kills < REAL_KILLS; kills++) {
    const worker = await start()
    for (let tries = 0; !(await descendants(worker.pid)).some(({ name }) => name === 'bwrap'); tries++) {
      const status = await jobs.status(plan.hash)
      if (tries > 600 || status?.state === 'failed')
        throw new Error(`no build is under way: ${JSON.stringify(status)}\n${JSON.stringify(worker.lines.slice(-8))}`)
      await systemClock.sleep(100)
    }
    await systemClock.sleep(500 + 400 * kills) // at another place each time
    const begun = await descendants(worker.pid)
    worker.kill('SIGKILL')
    await worker.ended
    const left = async () => begun.filter(({ pid }) => existsSync(`/proc/${pid}`))
    await expect.poll(left, { timeout: 5_000 }).toEqual([])
    killed += begun.length
    expect(await findBuild(bucket, plan.hash)).toBeUndefined()
  }
  const last = await start()
  const disturbed = await done()
  await stop(last)

  await rm(join(directory, 'work'), { recursive: true })
  await bucket.deleteDocument(buildKey(plan.hash))
  const calm = await start()
  await jobs.enqueue(real.build, plan, { id: plan.hash })
  const undisturbed = await done()
  await stop(calm)
  expect(disturbed.outputs).toEqual(undisturbed.outputs)
  console.log(
    `kill -9 while SYSLINUX was compiled, ${REAL_KILLS} times, with ${killed} processes: ${disturbed.outputs.length} files as they are in ${undisturbed.seconds.toFixed(0)} s of peace`,
  )
})

/** Whatever a process has started, and what that has started. */
async function descendants(of: number): Promise<{ pid: number; name: string }[]> {
  const all: { pid: number; name: string; parent: number }[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '') // gone meanwhile
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(line) ?? []
    if (name !== undefined) all.push({ pid, name, parent: Number(parent) })
  }
  const below = (parent: number): { pid: number; name: string }[] =>
    all.filter((one) => one.parent === parent).flatMap(({ pid, name }) => [{ pid, name }, ...below(pid)])
  return below(of)
}
