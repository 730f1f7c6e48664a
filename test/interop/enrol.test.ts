import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { type EnrolDeps, type EnrolProgress, type EnrolSettings, enrol, followNewToken } from '@bridgehead/appliance/uplink/enrol.ts'
import { createSigningKey, type Identity } from '@bridgehead/appliance/uplink/identity.ts'
import { readMembership, readSite, writeAdoption } from '@bridgehead/appliance/uplink/membership.ts'
import { selfSignedIdentity } from '@bridgehead/manager/engines/tls/certificate.ts'
import { steppedClock, systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { type EnrolAnswer, EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'bh-enrol-'))
const OWN = '01900000-0000-7000-8000-00000000000a'
const TOKEN = 'one-time-token-0123456789'
const WIREGUARD = { privateKey: `${'A'.repeat(42)}A=`, publicKey: `${'B'.repeat(42)}A=` }
let tls: Awaited<ReturnType<typeof selfSignedIdentity>>

beforeAll(async () => {
  tls = await selfSignedIdentity({ directory: join(directory, 'tls'), hosts: [], now: Date.now() })
})
afterAll(() => rmSync(directory, { recursive: true }))
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

type Reply = (request: EnrolRequest, count: number) => { status: number; body: unknown }

/** A manager's enrolment door. `requests` are the bodies it was sent, `bytes` what arrived at all. */
async function manager(reply: Reply, secure = true) {
  const requests: EnrolRequest[] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = EnrolRequest.parse(JSON.parse(Buffer.concat(parts).toString()))
      requests.push(body)
      const { status, body: said } = reply(body, requests.length)
      response.writeHead(status, { 'content-type': 'application/json' }).end(typeof said === 'string' ? said : JSON.stringify(said))
    })
  }
  const server = secure ? createTlsServer({ key: tls.key, cert: tls.cert }, answer) : createServer(answer)
  let bytes = 0
  server.on('secureConnection', (socket) => socket.on('data', (part: Buffer) => (bytes += part.length)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`, requests, bytes: () => bytes }
}

const member = (request: EnrolRequest): { status: number; body: EnrolAnswer } => ({
  status: 200,
  body: {
    protocol: 1,
    site: OWN,
    name: 'nuremberg',
    managerKeys: [request.signingKey],
    redis: { host: '127.0.0.1', port: 6390, username: 'site-x' },
    artifacts: 'http://127.0.0.1:8480/artifacts',
    secret: 'secret',
  },
})

/** Makes this process trust a certificate; the returned function takes that back. */
function setTrusted(cert: string): () => void {
  const before = getCACertificates('default')
  setDefaultCACertificates([...before, cert])
  return () => setDefaultCACertificates(before)
}

let boxes = 0
function box(settings: { manager: string; fingerprint?: string; token?: string | undefined }) {
  const { token = TOKEN, ...rest } = settings
  const file = join(directory, `bridgehead-${boxes++}.json`)
  writeFileSync(file, JSON.stringify({ ...rest, token }), { mode: 0o640 })
  const said: string[] = []
  const note = (event: string, fields?: object) => void said.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = { ...silentLog, info: note, warn: note, error: note }
  const identity: Identity = { wireguard: WIREGUARD, wireguardFile: '/dev/null', signing: createSigningKey() }
  const config: EnrolSettings = { file, token, ...rest }
  const deps: EnrolDeps = {
    config,
    identity,
    hardware: { macs: [] },
    version: '0.0.0-test',
    store: openStore(':memory:'),
    clock: { ...systemClock, sleep: async () => {} },
    random: Math.random,
    log,
    signal: new AbortController().signal,
  }
  return { deps, config, said, file: () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>, path: file }
}

test('a token is spent at the pinned manager, the answer kept, the token erased', async () => {
  const door = await manager(member)
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const membership = await enrol(one.deps)
  expect(membership).toMatchObject({ name: 'nuremberg', secret: 'secret' })
  expect(readMembership(one.deps.store)).toEqual(membership)
  expect(one.file()).toEqual({ manager: door.url, fingerprint: tls.fingerprint })
  expect(statSync(one.path).mode & 0o777).toBe(0o640)
  const { proof, ...claim } = door.requests[0] ?? expect.fail('no request came')
  expect(claim).toMatchObject({ token: TOKEN, wireguardKey: WIREGUARD.publicKey, version: '0.0.0-test' })
  expect(claim.signingKey).not.toHaveProperty('d')
  expect(await verifyDocument('enrolment', proof, [claim.signingKey])).toEqual(claim)
})

for (const { peer, fingerprint, why } of [
  { peer: 'with another certificate than the pinned one', fingerprint: 'ab'.repeat(32), why: /but abab.* is pinned/ },
  { peer: 'with a certificate that nobody vouches for, and no pin', fingerprint: undefined, why: /self-signed/ },
])
  test(`a manager ${peer} hears nothing`, async () => {
    const door = await manager(member)
    const one = box({ manager: door.url, ...(fingerprint === undefined ? {} : { fingerprint }) })
    const ending = new AbortController()
    const sleeps: number[] = []
    const clock = {
      ...systemClock,
      sleep: async (ms: number) => {
        if (sleeps.push(ms) === 3) ending.abort()
      },
    }
    expect(await enrol({ ...one.deps, clock, signal: ending.signal })).toBeUndefined()
    expect(one.said.join('\n')).toMatch(why)
    expect(sleeps).toHaveLength(3)
    expect(door.bytes()).toBe(0)
    expect(door.requests).toEqual([])
    expect(one.file().token).toBe(TOKEN)
  })

test("a box whose clock is behind learns the manager's time, though it cannot trust the certificate yet", async () => {
  const future = await selfSignedIdentity({ directory: join(directory, 'future'), hosts: [], now: Date.now() + 365 * 86_400_000 })
  const date = 'Sat, 20 Nov 2027 12:00:00 GMT'
  const methods: string[] = []
  const server = createTlsServer({ key: future.key, cert: future.cert }, (request, response) => {
    methods.push(request.method ?? '')
    response.writeHead(404, { date }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const one = box({ manager: `https://127.0.0.1:${port}` })
  const ending = new AbortController()
  const dates: number[] = []
  const onDate = (ms: number) => {
    dates.push(ms)
    ending.abort()
  }
  const ca = setTrusted(future.cert)
  await enrol({ ...one.deps, signal: ending.signal, onDate })
  ca()
  expect(dates).toEqual([Date.parse(date)])
  expect(methods).toEqual(['HEAD'])
})

test('a pending box shows its code and asks until a person decided', async () => {
  const door = await manager((request, count) =>
    count < 4 ? { status: 202, body: { pending: true, code: 'blue-cat-42' } } : member(request),
  )
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  expect(await enrol(one.deps)).toMatchObject({ name: 'nuremberg' })
  expect(door.requests).toHaveLength(4)
  expect(one.said.filter((line) => line.includes('enrol.pending')).join()).toMatch(/blue-cat-42/)
})

test('refusals, broken answers and error pages are told, and the box goes on asking', async () => {
  const door = await manager(
    (request, count) =>
      [
        { status: 403, body: { title: 'Token refused', detail: 'the token expired' } },
        { status: 502, body: '<html>Bad gateway</html>' },
        { status: 200, body: { site: 'x' } },
      ][count - 1] ?? member(request),
    false,
  )
  const one = box({ manager: door.url })
  expect(await enrol(one.deps)).toMatchObject({ name: 'nuremberg' })
  const said = one.said.join('\n')
  expect(said).toMatch(/enrol\.refused.*HTTP 403 Token refused: the token expired/)
  expect(said).toMatch(/enrol\.failed.*HTTP 502/)
  expect(said).toMatch(/enrol\.failed.*does not fit/)
  expect(said).not.toContain(TOKEN)
})

test('a box that died before it kept the answer asks again with the same keys', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  const dying = openStore(':memory:')
  dying.db.exec("CREATE TRIGGER full_disk BEFORE INSERT ON kv BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  await expect(enrol({ ...one.deps, store: dying })).rejects.toThrow('disk full')
  expect(one.file().token).toBe(TOKEN)
  expect(await enrol(one.deps)).toMatchObject({ name: 'nuremberg' })
  const [first, second] = door.requests
  expect(second).toEqual(first)
})

test('a member needs no network, and erases a token that a crash left behind', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  const membership = await enrol(one.deps)
  writeFileSync(one.path, JSON.stringify({ manager: door.url, token: TOKEN }))
  const nowhere = { ...one.config, manager: 'http://127.0.0.1:1' }
  expect(await enrol({ ...one.deps, config: nowhere, clock: steppedClock() })).toEqual(membership)
  expect(one.file()).toEqual({ manager: door.url })
  expect(door.requests).toHaveLength(1)
})

test('a new token on an enrolled box is left where it is, and said', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  await enrol(one.deps)
  const fresh = `another-${newId()}`
  writeFileSync(one.path, JSON.stringify({ manager: door.url, token: fresh }))
  await enrol({ ...one.deps, config: { ...one.config, token: fresh } })
  expect(one.file().token).toBe(fresh)
  expect(one.said.join('\n')).toMatch(/enrol\.token_ignored/)
})

for (const { of, site, becomes } of [
  { of: 'this very site', site: OWN, becomes: 'same' },
  { of: 'another site', site: newId(), becomes: 'other' },
])
  test(`a flashed box that finds a new token of ${of} spends it`, async () => {
    const door = await manager((request, count) => {
      if (count === 1) return member(request)
      if (count === 2) return { status: 503, body: 'later' }
      return { status: 200, body: { ...member(request).body, site, secret: 'renewed' } }
    }, false)
    const one = box({ manager: door.url })
    await enrol(one.deps)
    writeFileSync(one.path, JSON.stringify({ ...one.config, token: 'fresh-token-0123456789' }))
    const config = () => ({ ...one.config, token: 'fresh-token-0123456789' })
    expect(await enrol({ ...one.deps, config })).toMatchObject({ secret: 'secret' })
    expect(await followNewToken({ ...one.deps, config })).toBe(becomes)
    expect(readMembership(one.deps.store)).toMatchObject({ site: OWN, secret: becomes === 'same' ? 'renewed' : 'secret' })
    expect(one.file().token).toBe(becomes === 'same' ? undefined : 'fresh-token-0123456789')
    expect(one.said.join('\n')).not.toMatch(/token_ignored/)
  })

test('a box without a manager says so', async () => {
  const one = box({ manager: 'http://127.0.0.1:1' })
  expect(await enrol({ ...one.deps, config: { file: one.path } })).toBeUndefined()
  expect(one.said.join('\n')).toMatch(/enrol\.no_manager/)
})

test('a box without a token shows claim codes, one after another, until somebody typed one', async () => {
  const codes = ['ABCDEFGH', 'ABCDEFGH', 'JKLMNPQR']
  const door = await manager((request, count) => {
    const code = codes[count - 1]
    return code === undefined ? member(request) : { status: 202, body: { pending: true, code, expiresAt: 1_800_000_000_000 } }
  })
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const { token: _, ...config } = one.config
  const progress: string[] = []
  const onProgress = (step: EnrolProgress) => void progress.push(step.kind === 'claim' ? step.code : step.kind)
  expect(await enrol({ ...one.deps, config, onProgress })).toMatchObject({ name: 'nuremberg' })
  expect(progress).toEqual(['asking', ...codes, 'member'])
  expect(door.requests.every((request) => request.token === undefined)).toBe(true)
  expect(one.said.filter((line) => line.startsWith('enrol.claim'))).toHaveLength(2)
})

test('settings that a person corrects meanwhile count at the next try', async () => {
  const door = await manager(member)
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const settings: EnrolSettings[] = [{ file: one.path }, { ...one.config, fingerprint: 'ab'.repeat(32) }, one.config]
  let reads = 0
  const config = () => settings[Math.min(Math.floor(reads++ / 3), 2)] ?? one.config
  expect(await enrol({ ...one.deps, config })).toMatchObject({ name: 'nuremberg' })
  expect(one.said.join('\n')).toMatch(/enrol\.no_manager/)
})

test("what the site's last box had promised is kept in the same write as the membership", async () => {
  const leases = [{ lan: 'main', ip: '10.0.0.9' as Ipv4, mac: '52:54:00:00:00:01' as Mac, until: 1_800_000_000_000 }]
  const door = await manager((request) => ({ status: 200, body: { ...member(request).body, leases } }))
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const restored: { inTransaction: boolean; leases: unknown }[] = []
  const restore: EnrolDeps['restore'] = (db, given) => void restored.push({ inTransaction: db.inTransaction, leases: given })
  expect(await enrol({ ...one.deps, restore })).not.toHaveProperty('leases')
  expect(restored).toEqual([{ inTransaction: true, leases }])
})

test('the manager is reached through an HTTP proxy, which sees neither token nor answer', async () => {
  const door = await manager(member)
  const tunnels: string[] = []
  const proxy = createServer()
  proxy.on('connect', (request, client) => {
    tunnels.push(`${request.url} ${request.headers['proxy-authorization']}`)
    if (tunnels.length === 1) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const up = connect(Number(new URL(door.url).port), '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
    up.pipe(client).pipe(up)
    for (const socket of [client, up]) socket.on('error', () => up.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  servers.push(proxy)
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const address = proxy.address()
  const port = typeof address === 'object' && address ? address.port : 0
  expect(await enrol({ ...one.deps, config: { ...one.config, proxy: `http://jo:s%40t@127.0.0.1:${port}` } })).toMatchObject({
    name: 'nuremberg',
  })
  const authorization = `Basic ${Buffer.from('jo:s@t').toString('base64')}`
  expect(tunnels).toEqual(Array(2).fill(`${new URL(door.url).host} ${authorization}`))
  expect(one.said.join('\n')).toMatch(/enrol\.failed.*refused to connect to .* HTTP 407/)
})

const adoption = (site: string) => {
  const { d: _, ...key } = createSigningKey()
  return { site, name: 'nuremberg', managerKeys: [key] }
}

test('a box that a bundle gave its site needs no token, and says so', async () => {
  const one = box({ manager: 'http://127.0.0.1:1' })
  await writeAdoption(one.deps.store, adoption(OWN))
  const { token: _, ...config } = one.config
  expect(await enrol({ ...one.deps, config })).toBeUndefined()
  expect(one.said.join('\n')).toMatch(/enrol\.offline .*nuremberg/)
  expect(one.said.join('\n')).not.toMatch(/no_token/)
})

test('when an uplink comes, it enrols into its own site, and into no other', async () => {
  const door = await manager(member, false)
  const stranger = box({ manager: door.url })
  await writeAdoption(stranger.deps.store, { ...adoption(newId()), name: 'elsewhere' })
  expect(await enrol(stranger.deps)).toBeUndefined()
  expect(stranger.said.join('\n')).toMatch(/enrol\.other_site .*elsewhere/)
  expect(readMembership(stranger.deps.store)).toBeUndefined()

  const own = box({ manager: door.url })
  await writeAdoption(own.deps.store, adoption(OWN))
  expect(await enrol(own.deps)).toMatchObject({ site: OWN, secret: 'secret' })
  expect(readSite(own.deps.store)).toMatchObject({ site: OWN })
})
