import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createS3Bucket } from '@bridgehead/manager/engines/bucket/s3.ts'
import { parseS3Url } from '@bridgehead/manager/engines/bucket/s3-url.ts'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { createJobs, type JobStatus, type Jobs } from '@bridgehead/manager/engines/jobs/jobs.ts'
import { createWorkerAccess } from '@bridgehead/manager/engines/jobs/worker-access.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { execa } from 'execa'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { canConfine } from '../lab/confinement.ts'
import { CompileManifest, defineCompile, manifestKey, marker } from './compile-kind.ts'
import { freePort } from './free-port.ts'
import { killRedis } from './kill-redis.ts'
import { startSwift } from './s3-server.ts'
import { processesWith, type RunningWorker, startWorkerProcess } from './worker-lab.ts'

const confined = await canConfine()
const COMMAND = 'manager/cli/bridgehead'
const CLI = [COMMAND, 'worker', '--json'] as const
const WITH_TEST_KIND: [string, ...string[]] = [process.execPath, 'test/interop/worker-process.ts']

let directory: string
let port: number
let redis: RedisServer
let access: Service
let jobs: Jobs
let compile: ReturnType<typeof defineCompile>
let unknown: ReturnType<typeof defineUnknown>
const workers: RunningWorker[] = []

const defineUnknown = () => jobs.defineJob('from-the-future', z.object({}), async () => {}, { queue: 'package' })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-worker-'))
  await mkdir(join(directory, 'bucket'))
  port = await freePort()
  redis = createRedis({ directory: join(directory, 'redis'), port, bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
  access = createWorkerAccess({ redis, directory: join(directory, 'redis'), log: silentLog })
  await redis.start()
  await access.start()
  jobs = createJobs({ redis, log: silentLog, clock: systemClock, work: [] })
  compile = defineCompile(jobs)
  unknown = defineUnknown()
  await jobs.start()
})
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.kill('SIGKILL')
    await worker.ended
  }
})
afterAll(async () => {
  await jobs.stop()
  await access.stop()
  await redis.stop()
  await rm(directory, { recursive: true })
})

async function start(argv: readonly string[], env: Record<string, string>): Promise<RunningWorker> {
  const worker = await startWorkerProcess(argv as [string, ...string[]], env)
  workers.push(worker)
  return worker
}
const soon = { timeout: 20_000 }
const here = () => ({ BRIDGEHEAD_DATA: directory })
const password = () => readFile(join(directory, 'redis', 'worker-password'), 'utf8').then((text) => text.trim())

async function followed(id: string): Promise<JobStatus | undefined> {
  let last: JobStatus | undefined
  for await (const status of jobs.follow(id)) last = status
  return last
}

test('the command takes only the queues it is told; a job in another says that nobody works on it, until somebody does', async () => {
  await start([...CLI, '--queues', 'build'], here())
  await jobs.enqueue(unknown, {}, { id: 'not-for-it' })
  const sentence = 'waits: no worker serves the queue "package"; start one with "bridgehead worker --queues package"'
  const seen = async () => (await jobs.status('not-for-it'))?.text
  await expect.poll(seen, soon).toBe(sentence) // a worker that is gone is remembered for some seconds
  expect(await jobs.list({ states: ['waiting'] })).toMatchObject([{ id: 'not-for-it', state: 'waiting', text: sentence }])
  const following = followed('not-for-it')
  await start(CLI, here())
  expect(await following).toMatchObject({ state: 'failed', text: '' })
})

test('the command works beside the manager, says how it is by log lines, and ends on SIGTERM', async () => {
  const worker = await start(CLI, here())
  expect(worker.lines.at(-1)).toMatchObject({ event: 'worker.ready', name: 'worker', queues: ['build', 'package'], concurrency: 1 })
  await jobs.enqueue(unknown, {}, { id: 'future' })
  expect(await followed('future')).toMatchObject({ state: 'failed', error: expect.stringContaining('"from-the-future"') })
  worker.kill('SIGTERM')
  expect(await worker.ended).toBe(0)
  expect(worker.lines.map((line) => line.event)).toEqual(['worker.ready', 'job.started', 'job.failed', 'worker.stopping', 'worker.stopped'])
  expect(JSON.stringify(worker.lines)).not.toContain(await password())
})

test.runIf(confined)('a worker that is told to stop gives its build to the next one; cancelled, it leaves no process', async () => {
  const first = await start(WITH_TEST_KIND, here())
  await jobs.enqueue(compile, { name: 'handed-on', ms: 3_000 }, { id: 'handed-on' })
  await expect.poll(async () => (await jobs.status('handed-on'))?.lines.length, soon).toBeGreaterThan(2)
  first.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  expect(await processesWith(marker(first.pid))).toEqual([])
  expect(await jobs.status('handed-on')).toMatchObject({ state: 'waiting' })
  const second = await start(WITH_TEST_KIND, here())
  expect(await followed('handed-on')).toMatchObject({ state: 'completed' })

  await jobs.enqueue(compile, { name: 'cancelled', ms: 30_000 }, { id: 'cancelled' })
  await expect.poll(async () => (await processesWith(marker(second.pid))).length, soon).toBeGreaterThan(0)
  const since = Date.now()
  await jobs.cancel('cancelled')
  expect(await followed('cancelled')).toMatchObject({ state: 'cancelled' })
  expect(Date.now() - since).toBeLessThan(5_000) // a second on an idle machine; by itself it would take thirty
  expect(await processesWith(marker(second.pid))).toEqual([])
})

test.runIf(confined)('on another machine it needs a Redis URL and an S3 bucket, and nothing else', async () => {
  const s3 = await startSwift(await mkdtemp(join(directory, 's3-')))
  await s3.make('artifacts')
  const env = {
    AWS_ACCESS_KEY_ID: s3.accessKey,
    AWS_SECRET_ACCESS_KEY: s3.secretKey,
    S3_URL: `http://127.0.0.1:${s3.port}/artifacts/site/`,
  }
  const far = { ...env, REDIS_URL: `redis://worker:${await password()}@127.0.0.1:${port}`, BRIDGEHEAD_DATA: join(directory, 'far') }
  const worker = await start(WITH_TEST_KIND, far)
  await jobs.enqueue(compile, { name: 'far', ms: 300 }, { id: 'far' })
  expect(await followed('far')).toMatchObject({ state: 'completed' })
  const bucket = createS3Bucket({ ...parseS3Url(env.S3_URL, env), temporary: join(directory, 'tmp'), clock: systemClock })
  const { outputs } = CompileManifest.parse(await bucket.getDocument(manifestKey('far')))
  for (const { sha256, bytes } of outputs) expect(await bucket.head(sha256)).toEqual({ sha256, bytes })
  expect(JSON.stringify(worker.lines)).not.toMatch(new RegExp(`${s3.secretKey}|${await password()}`))
  await s3.stop()
})

test.runIf(confined)('it outlives Redis, whose users are gone until the manager has made them again', async () => {
  const worker = await start(WITH_TEST_KIND, here())
  await jobs.enqueue(compile, { name: 'outlives', ms: 4_000 }, { id: 'outlives' })
  await expect.poll(async () => (await jobs.status('outlives'))?.lines.length, soon).toBeGreaterThan(2)
  await killRedis(redis)
  expect(await followed('outlives')).toMatchObject({ state: 'completed' })
  await jobs.enqueue(compile, { name: 'afterwards', ms: 300 }, { id: 'afterwards' })
  expect(await followed('afterwards')).toMatchObject({ state: 'completed' })
  const events = () => worker.lines.map((line) => line.event)
  await expect.poll(events, soon).toEqual(expect.arrayContaining(['worker.redis_lost', 'worker.redis_back']))
})

test('what hinders it is said in one line, without the password', async () => {
  const wrong = { ...here(), REDIS_URL: `redis://worker:guessed-password@127.0.0.1:${port}`, BRIDGEHEAD_BUCKET: join(directory, 'bucket') }
  const since = Date.now()
  const refusal = await start(CLI, wrong).catch(String)
  expect(Date.now() - since).toBeLessThan(12_000) // before the 15 s that Redis may take to answer are over
  expect(refusal).toContain('WRONGPASS')
  expect(refusal).not.toContain('guessed-password')
  await expect(start(CLI, { ...here(), BRIDGEHEAD_BUCKET: join(directory, 'not-mounted') })).rejects.toThrow('not-mounted')
  const s3 = { S3_URL: `http://127.0.0.1:${await freePort()}/artifacts`, AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'guessed-secret' }
  const unreached = await start(CLI, { ...here(), ...s3 }).catch(String)
  expect(unreached).toMatch(/bucket.*ECONNREFUSED/)
  expect(unreached).not.toContain('guessed-secret')
  await expect(start(CLI, { REDIS_URL: wrong.REDIS_URL })).rejects.toThrow('S3_URL or BRIDGEHEAD_BUCKET')
})

test('for a Redis of the operator, the command prints the line that makes the user', async () => {
  const { stdout } = await execa(COMMAND, ['worker-user'], { input: 'a password of an operator\n' })
  const admin = redis.connect()
  const [name = '', ...rules] = stdout.split(' ')
  expect(await admin.call(name, ...rules)).toBe('OK')
  const worker = new Redis({ port, username: 'worker', password: 'a password of an operator', protocol: 2, retryStrategy: () => null })
  expect(await worker.ping()).toBe('PONG')
  expect(await worker.exists('jobs:{package}:meta')).toBe(1)
  await expect(worker.get('site:one:state')).rejects.toThrow('NOPERM')
  for (const connection of [worker, admin]) connection.disconnect()
  await access.start() // as it was
  await expect(execa(COMMAND, ['worker-user'], { input: 'short' })).rejects.toThrow('16')
})

test.runIf(confined)('the user of workers may touch nothing but the queues, and a life of jobs needs no more', async () => {
  const admin = redis.connect()
  const worker = new Redis({ port, username: 'worker', password: await password(), protocol: 2, retryStrategy: () => null })
  const denied = async (...[name = '', ...args]: string[]) =>
    worker.call(name, ...args).then(
      () => `${name} ${args.join(' ')} was allowed`,
      (error: Error) => (/NOPERM|user executing the script can't (access|run)/.test(error.message) ? undefined : error.message),
    )
  await admin.set('site:one:state', 'signed')
  for (const command of [
    ['GET', 'site:one:state'],
    ['SET', 'site:one:state', 'forged'],
    ['GET', 'jobs:{default}:meta'],
    ['EVAL', "return redis.call('GET', 'site:one:state')", '0'],
    ['EVAL', "return redis.call('FLUSHALL')", '0'],
    ['RENAME', 'jobs:{build}:meta', 'site:one:state'],
    ['XADD', 'site:one:commands', '*', 'jws', 'x'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['DBSIZE'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['ACL', 'SETUSER', 'worker', 'allkeys'],
    ['CLIENT', 'LIST'],
    ['MONITOR'],
    ['SUBSCRIBE', 'site:one:nudge'],
    ['PUBLISH', 'site:one:nudge', '1'],
    ['SCRIPT', 'FLUSH'],
    ['FUNCTION', 'LIST'],
    ['SHUTDOWN'],
    ['REPLICAOF', '127.0.0.1', '1'],
  ])
    expect(await denied(...command), command.join(' ')).toBeUndefined()
  worker.disconnect()

  await admin.call('ACL', 'LOG', 'RESET')
  await start(WITH_TEST_KIND, here())
  for (const name of ['life-one', 'life-two']) await jobs.enqueue(compile, { name, ms: 300 }, { id: name })
  for (const name of ['life-one', 'life-two']) expect(await followed(name)).toMatchObject({ state: 'completed' })
  await systemClock.sleep(6_000) // locks renewed, stalled jobs looked for
  expect(await admin.call('ACL', 'LOG')).toEqual([])
  admin.disconnect()
})
