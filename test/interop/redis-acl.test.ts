import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { siteUserName } from '@bridgehead/manager/engines/bus/site-user.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './free-port.ts'

const SECRET = 'the secret of site one'
const own = siteKeys('one')
const foreign = siteKeys('two')

let directory: string
let port: number
let server: RedisServer
let admin: Redis
let site: Redis

const asSite = () =>
  new Redis({
    host: '127.0.0.1',
    port,
    protocol: 2,
    username: siteUserName('one'),
    password: SECRET,
    enableReadyCheck: false,
    retryStrategy: () => null,
  })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-acl-'))
  port = await freePort()
  server = createRedis({ directory, port, bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
  await server.start()
  for (const id of ['one', 'two']) await server.setSiteUser(id, createHash('sha256').update(SECRET).digest('hex'))
  admin = server.connect()
  await admin.set(own.state, 'signed state of one')
  await admin.set(foreign.state, 'signed state of two')
  await admin.xgroup('CREATE', foreign.commands, 'appliance', '0', 'MKSTREAM')
  await admin.xadd(foreign.commands, '*', 'jws', 'for two alone')
  site = asSite()
})

afterAll(async () => {
  site.disconnect()
  admin.disconnect()
  await server.stop()
  await rm(directory, { recursive: true })
})

/**
 * `ok`, `NOPERM`, or what else went wrong. EXEC wraps its refusal (`EXECABORT ... because of: NOPERM`); DEBUG and MODULE are switched
 * off for everybody (`enable-debug-command no`), which Redis looks at before it looks at the user.
 */
async function outcome(connection: Redis, args: readonly string[]): Promise<string> {
  const [name = '', ...rest] = args
  try {
    await connection.call(name, ...rest)
    return 'ok'
  } catch (error) {
    const { message } = error as Error
    return /NOPERM|^ERR (DEBUG|MODULE) command not allowed/.test(message) ? 'NOPERM' : message
  }
}

/** What an appliance does, in the order in which it would. */
const ALLOWED: readonly (readonly string[])[] = [
  ['PING'],
  ['HELLO', '2'],
  ['AUTH', siteUserName('one'), SECRET],
  ['CLIENT', 'SETNAME', 'appliance'],
  ['GET', own.state],
  ['XADD', own.events, '*', 'event', '{}'],
  ['SET', own.presence, '{}', 'EX', '35'],
  ['XGROUP', 'CREATE', own.commands, 'appliance', '0', 'MKSTREAM'],
  ['XREADGROUP', 'GROUP', 'appliance', 'appliance', 'COUNT', '1', 'BLOCK', '1', 'STREAMS', own.commands, '>'],
  ['XAUTOCLAIM', own.commands, 'appliance', 'appliance', '0', '0'],
  ['XACK', own.commands, 'appliance', '1-1'],
  ['XDEL', own.commands, '1-1'],
]

test('a site may do what its appliance needs', async () => {
  const outcomes = new Map<string, string>()
  for (const args of ALLOWED) outcomes.set(args.join(' '), await outcome(site, args))
  expect([...outcomes].filter(([, result]) => result !== 'ok')).toEqual([])
})

test('a site hears its own nudge and no other', async () => {
  const listener = asSite()
  const heard: string[] = []
  listener.on('message', (channel, message) => heard.push(`${channel} ${message}`))
  await listener.subscribe(own.nudge)
  for (const channel of [foreign.nudge, 'site:{*}:nudge', 'anything'])
    await expect(listener.subscribe(channel), channel).rejects.toThrow('NOPERM')
  await expect(listener.psubscribe('*')).rejects.toThrow('NOPERM')
  await expect(listener.psubscribe(own.nudge)).rejects.toThrow('NOPERM')
  await admin.publish(foreign.nudge, '7')
  await admin.publish(own.nudge, '8')
  await expect.poll(() => heard).toEqual([`${own.nudge} 8`])
  listener.disconnect()
})

test('allowed commands are refused on every key but the one they are for', async () => {
  const on: Record<string, { args: (key: string) => string[]; fit: string }> = {
    get: { args: (key) => ['GET', key], fit: own.state },
    set: { args: (key) => ['SET', key, 'x'], fit: own.presence },
    'set with ex': { args: (key) => ['SET', key, 'x', 'EX', '35'], fit: own.presence },
    xadd: { args: (key) => ['XADD', key, '*', 'event', 'x'], fit: own.events },
    xreadgroup: { args: (key) => ['XREADGROUP', 'GROUP', 'appliance', 'me', 'COUNT', '1', 'STREAMS', key, '>'], fit: own.commands },
    xack: { args: (key) => ['XACK', key, 'appliance', '1-1'], fit: own.commands },
    xdel: { args: (key) => ['XDEL', key, '1-1'], fit: own.commands },
    xautoclaim: { args: (key) => ['XAUTOCLAIM', key, 'appliance', 'me', '0', '0'], fit: own.commands },
    'xgroup create': { args: (key) => ['XGROUP', 'CREATE', key, 'again', '0', 'MKSTREAM'], fit: own.commands },
  }
  const keys = [own, foreign].flatMap((of) => [of.state, of.commands, of.events, of.presence])
  const others = ['bull:jobs:meta', 'anything', 'site:{one}', 'site:{one}:state:more', 'site:{on}:state', 'site:{*}:state', '']
  const wrong: string[] = []
  let refused = 0
  for (const [name, { args, fit }] of Object.entries(on))
    for (const key of [...keys, ...others]) {
      const result = await outcome(site, args(key))
      if (key === fit ? result !== 'ok' : result !== 'NOPERM') wrong.push(`${name} on ${key}: ${result}`)
      else if (key !== fit) refused++
    }
  // Several keys in one command, and reading back what may only be written.
  for (const args of [
    ['XREADGROUP', 'GROUP', 'appliance', 'me', 'STREAMS', own.commands, foreign.commands, '>', '>'],
    ['XREADGROUP', 'GROUP', 'appliance', 'me', 'STREAMS', foreign.commands, own.commands, '>', '>'],
    ['SET', own.presence, 'x', 'GET'],
    ['XGROUP', 'DESTROY', own.commands, 'appliance'],
    ['XGROUP', 'SETID', own.commands, 'appliance', '0'],
  ]) {
    const result = await outcome(site, args)
    if (result !== 'NOPERM') wrong.push(`${args.join(' ')}: ${result}`)
    else refused++
  }
  expect(wrong).toEqual([])
  process.stdout.write(`redis-acl: ${refused} attempts with allowed commands on other keys were refused\n`)
})

/** Open to everybody in Redis itself (flag no_auth): they tell nothing and touch no key. */
const ALWAYS = ['auth', 'hello', 'quit', 'reset']
const NAMED = [
  'ping',
  'get',
  'set',
  'xadd',
  'xreadgroup',
  'xack',
  'xdel',
  'xautoclaim',
  'xgroup|create',
  'client|setname',
  'subscribe',
  'unsubscribe',
]

test('every other command is refused, on own and on foreign keys', async () => {
  const commands = await listCommands(admin)
  expect(commands.length).toBeGreaterThan(300)
  const wrong: string[] = []
  const refused = new Set<string>()
  let attempts = 0
  for (const { name, arity } of commands) {
    if (ALWAYS.includes(name) || NAMED.includes(name) || name === 'client|setinfo') continue
    for (const key of [...Object.values(own), ...Object.values(foreign)]) {
      const words = name.split('|')
      const args = [...words, ...Array.from({ length: Math.max(1, Math.abs(arity) - words.length) }, () => key)]
      if (arity > 0) args.length = arity
      const result = await outcome(site, args)
      attempts++
      if (result === 'NOPERM') refused.add(name)
      else wrong.push(`${args.join(' ')}: ${result}`)
    }
  }
  expect(wrong).toEqual([])
  expect(await admin.get(foreign.state)).toBe('signed state of two')
  expect(await admin.xlen(foreign.commands)).toBe(1)
  process.stdout.write(`redis-acl: ${attempts} attempts with ${refused.size} other commands were refused\n`)
})

test('without the secret there is nothing', async () => {
  for (const credentials of [
    {},
    { password: SECRET },
    { username: 'default', password: '' },
    { username: siteUserName('one'), password: 'wrong' },
  ]) {
    const stranger = new Redis({ host: '127.0.0.1', port, protocol: 2, enableReadyCheck: false, retryStrategy: () => null, ...credentials })
    stranger.on('error', () => undefined)
    await expect(stranger.get(own.state), JSON.stringify(credentials)).rejects.toThrow()
    stranger.disconnect()
  }
  const reset = asSite()
  await reset.call('RESET')
  await expect(reset.call('GET', foreign.state), 'RESET makes nobody the default user').rejects.toThrow('NOAUTH')
  await expect(reset.call('AUTH', 'default', ''), 'the default user has no password at all').rejects.toThrow('WRONGPASS')
  reset.disconnect()
})

test('a deleted site is thrown out at once, in the midst of a blocking read', async () => {
  const gone = asSite()
  gone.on('error', () => undefined)
  await gone.ping()
  const closed = new Promise<void>((resolve) => gone.once('end', resolve))
  gone.xreadgroup('GROUP', 'appliance', 'me', 'BLOCK', 60_000, 'STREAMS', own.commands, '>').catch(() => undefined)
  await server.deleteSiteUser('one')
  await closed
  await expect(
    asSite()
      .on('error', () => undefined)
      .ping(),
  ).rejects.toThrow()
})

test('an id that would widen the key pattern makes no user', async () => {
  for (const id of ['*', 'a?', 'a[b]', 'A', 'a}b', '', 'a b'])
    await expect(server.setSiteUser(id, '0'.repeat(64)), id).rejects.toThrow('site id')
  await expect(server.setSiteUser('ok', 'plain text')).rejects.toThrow('SHA-256')
})

/** All commands and sub-commands (`xgroup|create`) that this server knows, with their arity. */
async function listCommands(connection: Redis): Promise<{ name: string; arity: number }[]> {
  const found: { name: string; arity: number }[] = []
  const collect = (infos: unknown[]) => {
    for (const info of infos) {
      const [name, arity, , , , , , , , subCommands] = info as [string, number, ...unknown[]]
      const below = Array.isArray(subCommands) ? subCommands : []
      if (below.length === 0) found.push({ name, arity })
      collect(below)
    }
  }
  collect((await connection.call('COMMAND')) as unknown[])
  return found
}
