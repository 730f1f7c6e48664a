import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedis } from '@bridgehead/manager/engines/bus/redis.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import { killRedisNow, redisPid } from './kill-redis.ts'

let root: string
const children: ChildProcess[] = []
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bridgehead-redis-'))
})
afterAll(async () => {
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  await rm(root, { recursive: true })
})

const redisIn = (directory: string, port: number, url?: string) =>
  createRedis({ directory, port, bind: ['127.0.0.1'], log: silentLog, clock: systemClock, url })
const alive = (pid: number) => existsSync(`/proc/${pid}/exe`)

/** Starts a manager process; returns it and its Redis' pid. */
async function startManager(directory: string, port: number): Promise<{ manager: ChildProcess; redisPid: number }> {
  const manager = spawn(process.execPath, ['test/interop/redis-manager.ts', directory, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(manager)
  const [line] = await once(manager.stdout, 'data')
  return { manager, redisPid: Number(/ready (\d+)/.exec(String(line))?.[1]) }
}

test('it is ready soon, listens on loopback and a private socket, and ends in order', async () => {
  const directory = join(root, 'plain')
  const redis = redisIn(directory, await freePort())
  const since = performance.now()
  await redis.start()
  expect(performance.now() - since).toBeLessThan(10_000) // a tenth of a second on an idle machine
  const connection = redis.connect()
  expect(await connection.ping()).toBe('PONG')
  expect((await connection.config('GET', 'maxmemory-policy'))[1]).toBe('noeviction')
  expect((await connection.config('GET', 'appendonly'))[1]).toBe('yes')
  for (const [file, mode] of [
    ['redis.sock', 0o600],
    ['admin-password', 0o600],
    ['redis.conf', 0o600],
    ['', 0o700],
  ] as const)
    expect((await stat(join(directory, file))).mode & 0o777, file).toBe(mode)
  const pid = await redisPid(connection)
  expect(
    (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes((await readFile(join(directory, 'admin-password'), 'utf8')).trim()),
  ).toBe(false)
  connection.disconnect()
  await redis.stop()
  expect(alive(pid)).toBe(false)
  await redis.stop()
  expect((await readdir(directory)).includes('redis.sock')).toBe(false)
})

test('killed again and again it comes back with its data, and those who asked are told each time', async () => {
  const redis = redisIn(join(root, 'killed'), await freePort())
  await redis.start()
  const connection = redis.connect()
  let told = 0
  redis.onRestart(async () => {
    await redis.setSiteUser('one', '0'.repeat(64))
    told++
  })
  await connection.multi().set('kept', 'plain').rpush('list', 'in a transaction').exec()
  for (let round = 1; round <= 3; round++) {
    await killRedisNow(connection)
    await expect.poll(() => told, { timeout: 15_000 }).toBe(round)
    expect(await connection.get('kept')).toBe('plain')
    expect(await connection.lrange('list', 0, -1)).toEqual(['in a transaction'])
    expect(await connection.call('ACL', 'USERS')).toContain('site-one')
  }
  connection.disconnect()
  await redis.stop()
})

test('what a killed manager left running is ended, and its data taken over', async () => {
  const directory = join(root, 'stale')
  const port = await freePort()
  const first = await startManager(directory, port)
  first.manager.kill('SIGKILL')
  await once(first.manager, 'exit')
  expect(alive(first.redisPid)).toBe(true) // sites go on writing meanwhile
  const second = await startManager(directory, port)
  expect(alive(first.redisPid)).toBe(false)
  expect(second.redisPid).not.toBe(first.redisPid)
  second.manager.kill('SIGTERM')
  await once(second.manager, 'exit')
  expect(alive(second.redisPid)).toBe(false)
})

test('a second manager on the same directory is refused, and the first one not disturbed', async () => {
  const directory = join(root, 'shared')
  const first = await startManager(directory, await freePort())
  await expect(redisIn(directory, await freePort()).start()).rejects.toThrow(`another manager (process ${first.manager.pid}) uses`)
  expect(alive(first.redisPid)).toBe(true)
})

test('a pid file that names another program does no harm', async () => {
  const directory = join(root, 'recycled')
  const before = redisIn(directory, await freePort())
  await before.start()
  await before.stop()
  await writeFile(join(directory, 'redis.pid'), `${process.pid}\n`)
  const redis = redisIn(directory, await freePort())
  await redis.start()
  await redis.stop()
})

test('files that the disk has spoilt are set aside, and Redis starts empty', async () => {
  const directory = join(root, 'spoilt')
  const port = await freePort()
  const first = redisIn(directory, port)
  await first.start()
  const writer = first.connect()
  for (let n = 0; n < 100; n++) await writer.set(`key ${n}`, n)
  writer.disconnect()
  await first.stop()
  const file = join(directory, 'appendonlydir', 'appendonly.aof.1.incr.aof')
  const bytes = await readFile(file)
  await writeFile(file, bytes.fill(0x7f, 200, 300))
  const second = redisIn(directory, port)
  await second.start()
  const reader = second.connect()
  expect(await reader.dbsize()).toBe(0)
  reader.disconnect()
  await second.stop()
  expect((await readdir(directory)).filter((name) => name.startsWith('appendonlydir.broken-'))).toHaveLength(1)
})

test('a file cut off in the midst of a write loses that write alone', async () => {
  const directory = join(root, 'cut')
  const port = await freePort()
  const first = redisIn(directory, port)
  await first.start()
  const writer = first.connect()
  for (let n = 0; n < 100; n++) await writer.set(`key ${n}`, n)
  writer.disconnect()
  await first.stop()
  const file = join(directory, 'appendonlydir', 'appendonly.aof.1.incr.aof')
  await writeFile(file, (await readFile(file)).subarray(0, -5))
  const second = redisIn(directory, port)
  await second.start()
  const reader = second.connect()
  expect(await reader.dbsize()).toBe(99)
  reader.disconnect()
  await second.stop()
})

test('a port in use is an error that says so', async () => {
  const port = await freePort()
  const first = redisIn(join(root, 'first'), port)
  await first.start()
  await expect(redisIn(join(root, 'second'), port).start()).rejects.toThrow(/ended at once: .*[Aa]ddress already in use/)
  await first.stop()
})

test('a path that is too long for a socket is an error that says so', async () => {
  await expect(redisIn(join(root, 'x'.repeat(120)), 1).start()).rejects.toThrow('choose a shorter BRIDGEHEAD_DATA')
})

test('with an URL nothing is started, and the same things work', async () => {
  const directory = join(root, 'owner')
  const port = await freePort()
  const owner = redisIn(directory, port)
  await owner.start()
  const password = (await readFile(join(directory, 'admin-password'), 'utf8')).trim()
  const user = redisIn(join(root, 'unused'), 0, `redis://bridgehead:${password}@127.0.0.1:${port}/0`)
  await user.start()
  expect(user.socketPath).toBeUndefined()
  let told = 0
  user.onRestart(() => void told++)
  await user.setSiteUser('two', '0'.repeat(64))
  const connection = owner.connect()
  expect(await connection.call('ACL', 'USERS')).toContain('site-two')
  await killRedisNow(connection)
  await expect.poll(() => told, { timeout: 15_000 }).toBe(1)
  connection.disconnect()
  await user.stop()
  await owner.stop()
  expect(existsSync(join(root, 'unused'))).toBe(false)
  await expect(redisIn(root, 0, `redis://127.0.0.1:${await freePort()}`).start()).rejects.toThrow('ECONNREFUSED')
}, 90_000)
