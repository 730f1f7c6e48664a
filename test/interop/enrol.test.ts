import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type EnrolProgress, type EnrolSettings, enrol } from '@bridgehead/appliance/uplink/enrol.ts'
import { readMembership } from '@bridgehead/appliance/uplink/membership.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { expect, test } from 'vitest'
import { createEnrolLab, member, TOKEN, WIREGUARD } from './enrol-lab.ts'

// What a box and a manager's door say to each other; what the box then keeps is in enrol-membership.test.ts.
const { tls, identityFrom, listen, manager, box } = await createEnrolLab()

/** Makes this process trust a certificate; the returned function takes that back. */
function setTrusted(cert: string): () => void {
  const before = getCACertificates('default')
  setDefaultCACertificates([...before, cert])
  return () => setDefaultCACertificates(before)
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
  const future = await identityFrom(Date.now() + 365 * 86_400_000)
  const date = 'Sat, 20 Nov 2027 12:00:00 GMT'
  const methods: string[] = []
  const server = createTlsServer({ key: future.key, cert: future.cert }, (request, response) => {
    methods.push(request.method ?? '')
    response.writeHead(404, { date }).end()
  })
  const one = box({ manager: `https://127.0.0.1:${await listen(server)}` })
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
  const port = await listen(proxy)
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  expect(await enrol({ ...one.deps, config: { ...one.config, proxy: `http://jo:s%40t@127.0.0.1:${port}` } })).toMatchObject({
    name: 'nuremberg',
  })
  const authorization = `Basic ${Buffer.from('jo:s@t').toString('base64')}`
  expect(tunnels).toEqual(Array(2).fill(`${new URL(door.url).host} ${authorization}`))
  expect(one.said.join('\n')).toMatch(/enrol\.failed.*refused to connect to .* HTTP 407/)
})
