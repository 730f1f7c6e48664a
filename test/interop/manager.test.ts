import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newBox } from '@bridgehead/manager/harness.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './free-port.ts'

/** The manager's process with its own Redis, on loopback, without an overlay; the tests tell one story, in order. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
let data: string
let env: Record<string, string>
let url: string
let running: ChildProcess | undefined
let key = ''
let enrolled: { site: string; secret: string; redis: { host: string; port: number; username: string }; managerKeys: never[] }

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'bridgehead-manager-'))
  const [http, https, uplink, redis] = [await freePort(), await freePort(), await freePort(), await freePort()]
  url = `http://127.0.0.1:${http}`
  env = {
    BRIDGEHEAD_DATA: data,
    BRIDGEHEAD_OVERLAY: 'off',
    BRIDGEHEAD_HTTP: `127.0.0.1:${http}`,
    BRIDGEHEAD_HTTPS: `127.0.0.1:${https}`,
    BRIDGEHEAD_UPLINK_PORT: String(uplink),
    BRIDGEHEAD_REDIS_PORT: String(redis),
  }
})
afterAll(async () => {
  if (running) await end('SIGTERM')
  await rm(data, { recursive: true })
})

async function start(): Promise<string> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'manager/main.ts')], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running = child
  let said = ''
  let log = ''
  child.stdout?.on('data', (bytes) => {
    said += bytes
  })
  child.stderr?.on('data', (bytes) => {
    log += bytes
  })
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`the manager ended: ${log}`)
    if (/Set up the first account|^ready$/m.test(said)) return said
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`the manager did not come up: ${log}`)
}
async function end(signal: NodeJS.Signals): Promise<void> {
  const child = running
  running = undefined
  if (!child || child.exitCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}
// biome-ignore lint/suspicious/noExplicitAny: answers are read without a schema here
async function ask(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return text === '' ? { status: answer.status } : JSON.parse(text)
}
const asSite = () =>
  new Redis({
    ...enrolled.redis,
    password: enrolled.secret,
    protocol: 2,
    enableReadyCheck: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => 100,
  }).on('error', () => undefined) // it is killed on purpose below
async function eventually<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const found = await probe()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`never: ${what}`)
}

test('the first start says where everything is, and the link leads to a key', async () => {
  const said = await start()
  expect(said).toContain(`console and API   ${url}`)
  expect(said).toMatch(/certificate {7}sha256 [0-9a-f]{64}/)
  const link = (await readFile(join(data, 'setup-link'), 'utf8')).trim()
  expect(said).toContain(link)
  const token = new URL(link).searchParams.get('token')
  const done = await ask('POST', '/setup', {
    token,
    email: 'ada@example.com',
    password: 'correct horse battery',
    name: 'Ada',
    organisation: 'Acme',
    apiKey: true,
  })
  key = done.apiKey
  expect((await ask('GET', '/api/v1/whoami')).scopes).toContain('admin')
  for (const secret of ['keys/signing.json', 'keys/auth', 'keys/presign']) expect((await stat(join(data, secret))).mode & 0o077).toBe(0)
})

test('a box enrols over TLS with the pinned certificate and reads its signed state as its own Redis user', async () => {
  await ask('POST', '/api/v1/sites', { name: 'berlin', lans: [{ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2' }] })
  const { config } = await ask('POST', '/api/v1/sites/berlin/tokens', {})
  const { body, fingerprint } = await post(`https://${env.BRIDGEHEAD_HTTPS}/api/v1/enrol`, await newBox().request(config.token))
  expect(fingerprint).toBe(config.fingerprint)
  enrolled = JSON.parse(body)
  const redis = asSite()
  const jws = await eventually('a state', () => redis.get(siteKeys(enrolled.site).state).then((text) => text ?? undefined))
  expect((await verifyDocument('state', jws, enrolled.managerKeys)) as SiteState).toMatchObject({
    site: enrolled.site,
    name: 'berlin',
    revision: 1,
  })
  redis.disconnect()
})

test('events are in the manager exactly once, though it is killed -9 again and again while they come', async () => {
  const redis = asSite()
  const total = 600
  const send = async () => {
    for (let seq = 0; seq < total; seq++) {
      const event = {
        id: newId(),
        at: seq,
        kind: 'dhcp.lease',
        data: { mac: '52:54:00:00:00:01', ip: `10.0.${seq >> 8}.${seq & 255}`, lan: 'lan', until: seq },
      }
      for (let twice = 0; twice < (seq % 10 === 0 ? 2 : 1); twice++)
        await redis.xadd(siteKeys(enrolled.site).events, '*', 'event', JSON.stringify(event))
      if (seq % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
  const sending = send()
  for (let kill = 0; kill < 3; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 150))
    await end('SIGKILL')
    await start()
  }
  await sending
  const arrived = async () => {
    const text = await (await fetch(`${url}/api/v1/events?after=0&follow=false`, { headers: { authorization: `Bearer ${key}` } })).text()
    return [...text.matchAll(/^event: dhcp.lease$/gm)].length
  }
  await eventually('all events', async () => (await arrived()) >= total)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await arrived()).toBe(total)
  expect(await redis.xlen(siteKeys(enrolled.site).events).catch(() => 0)).toBe(0)
  redis.disconnect()
})

test('what was acknowledged is there after kill -9', async () => {
  const made = await ask('POST', '/api/v1/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:07'] })
  await end('SIGKILL')
  await start()
  expect((await ask('GET', `/api/v1/hosts/${made.id}`)).name).toBe('n1')
})

test('a Redis that was killed and emptied has its users and states again, with no restart of the manager', async () => {
  const pid = Number(await readFile(join(data, 'redis', 'redis.pid'), 'utf8'))
  await rm(join(data, 'redis', 'appendonlydir'), { recursive: true, force: true })
  process.kill(pid, 'SIGKILL')
  const redis = asSite()
  const state = await eventually('the state with the host', async () => {
    const jws = await redis.get(siteKeys(enrolled.site).state).catch(() => null) // no such user yet
    const found = jws === null ? undefined : ((await verifyDocument('state', jws, enrolled.managerKeys)) as SiteState)
    return found?.hosts.length ? found : undefined
  })
  expect(state.hosts).toMatchObject([{ name: 'n1' }])
  const event = { id: newId(), at: 1, kind: 'dhcp.pool-full', data: { mac: '52:54:00:00:00:01', lan: 'lan' } }
  await redis.xadd(siteKeys(enrolled.site).events, '*', 'event', JSON.stringify(event))
  await eventually('an event after the wipe', async () => {
    const text = await (await fetch(`${url}/api/v1/events?after=0&follow=false`, { headers: { authorization: `Bearer ${key}` } })).text()
    return text.includes(event.id)
  })
  redis.disconnect()
})

test('artifacts want the site’s credentials', async () => {
  const uplink = `http://127.0.0.1:${env.BRIDGEHEAD_UPLINK_PORT}`
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  expect((await fetch(`${uplink}/artifacts/${'a'.repeat(64)}`)).status).toBe(401)
  expect((await fetch(`${uplink}/artifacts/${'a'.repeat(64)}`, { headers: basic(`${enrolled.site}:${enrolled.secret}`) })).status).toBe(403)
  expect((await fetch(`${uplink}/bucket/${'a'.repeat(64)}`)).status).toBe(403)
})

test('a port that is taken is named with the variable that moves it', async () => {
  await end('SIGTERM')
  const blocker = createServer().listen(Number(env.BRIDGEHEAD_UPLINK_PORT), '127.0.0.1')
  await once(blocker, 'listening')
  await expect(start()).rejects.toThrow(
    `port ${env.BRIDGEHEAD_UPLINK_PORT} is in use (127.0.0.1:${env.BRIDGEHEAD_UPLINK_PORT}); end what listens there or set BRIDGEHEAD_UPLINK_PORT`,
  )
  running = undefined
  blocker.close()
})

/** Posts JSON to a server with a certificate that nobody vouches for; tells whose it was. */
function post(target: string, body: unknown): Promise<{ body: string; fingerprint: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      target,
      { method: 'POST', rejectUnauthorized: false, headers: { 'content-type': 'application/json' } },
      (answer) => {
        const socket = answer.socket as import('node:tls').TLSSocket
        const fingerprint = socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()
        let text = ''
        answer.on('data', (bytes) => {
          text += bytes
        })
        answer.on('end', () => resolve({ body: text, fingerprint }))
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}
