import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Screen } from '../console/render.ts'
import { makeIdentity } from './certificate.ts'
import { createGuard, newCredential } from './guard.ts'
import { createLocalPage, type LocalPage } from './page.ts'

const SCREEN: Screen = {
  version: '0.1.0',
  board: 'x86_64',
  slot: 'A',
  name: '<script>alert(1)</script>',
  manager: 'https://manager.example',
  uplink: 'connected',
  interfaces: [{ name: 'eth0', addresses: ['10.0.0.5/24'], role: 'uplink', carrier: true }],
  lans: [],
  troubles: ['something & more'],
  doing: [],
}
const directory = mkdtempSync(join(tmpdir(), 'bh-page-'))
let settings: ApplianceConfig = {
  manager: 'https://manager.example',
  token: '0123456789abcdef',
  uplink: { wifi: { ssid: 'x', psk: 'correct horse' } },
}
let box: LocalPage
beforeAll(async () => {
  box = createLocalPage({
    directory,
    port: 0,
    screen: () => SCREEN,
    facts: () => ({ leases: 3, services: { dns: 'ok' } }),
    settings: () => settings,
    problems: () => [],
    save: async (next) => {
      settings = next
    },
    diagnostics: () => ({ log: ['line'] }),
    clock: systemClock,
    log: silentLog,
  })
  await box.start()
})
afterAll(async () => {
  await box.stop()
  rmSync(directory, { recursive: true })
})

const certificate = () => readFileSync(join(directory, 'tls.pem'), 'utf8').replace(/^.*(?=-----BEGIN CERT)/s, '')

interface Answer {
  status: number
  text: string
  headers: Record<string, string | string[] | undefined>
  fingerprint: string
}
function ask(
  method: string,
  path: string,
  { form, cookie, headers = {} }: { form?: Record<string, string>; cookie?: string; headers?: Record<string, string> } = {},
) {
  const port = box.info()?.port ?? 0
  const options: RequestOptions = {
    // The box made its certificate itself: it is the only one that is trusted here, and `bridgehead` is one of its names.
    ...{ host: '127.0.0.1', port, method, path, ca: certificate(), servername: 'bridgehead', agent: false },
    headers: {
      ...(method === 'POST' ? { origin: `https://127.0.0.1:${port}` } : {}),
      ...(cookie === undefined ? {} : { cookie }),
      ...headers,
    },
  }
  return new Promise<Answer>((resolve, reject) => {
    const asked = request(options, (answer) => {
      const fingerprint = (answer.socket as TLSSocket).getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? ''
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString(), headers: answer.headers, fingerprint }),
      )
    })
    asked.on('error', reject)
    asked.end(form && new URLSearchParams(form).toString())
  })
}
const logIn = async () => {
  const answer = await ask('POST', '/login', { form: { credential: box.info()?.credential.toUpperCase() ?? '' } })
  expect(answer.status).toBe(303)
  return String(answer.headers['set-cookie']).split(';')[0] ?? ''
}

test('what is kept is for the daemon alone, and the certificate is the one on the screen', async () => {
  expect(statSync(join(directory, 'credential')).mode & 0o777).toBe(0o600)
  expect(box.info()?.credential).toMatch(/^[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}$/)
  expect((await ask('GET', '/')).fingerprint).toBe(box.info()?.fingerprint)
  expect(readFileSync(join(directory, 'tls.pem'), 'utf8')).toContain('PRIVATE KEY')
})

test('a stranger sees where the password stands, and nothing else', async () => {
  const first = await ask('GET', '/')
  expect(first).toMatchObject({ status: 200, text: expect.stringContaining('password stands on') })
  expect(first.text).not.toContain('10.0.0.5')
  expect(first.headers['content-security-policy']).toMatch(/default-src 'none'/)
  for (const path of ['/settings', '/nothing', '/diagnostics']) expect((await ask('GET', path)).headers.location).toBe('/')
  expect((await ask('POST', '/diagnostics')).status).toBe(303)
  expect((await ask('POST', '/settings', { form: { settings: '{}' }, cookie: '__Host-session=guess' })).status).toBe(303)
})

test('who typed the password sees the box; what others named is text', async () => {
  const cookie = await logIn()
  const { status, text } = await ask('GET', '/', { cookie })
  expect(status).toBe(200)
  expect(text).toContain('10.0.0.5/24 (uplink)')
  expect(text).toContain('something &#38; more')
  expect(text).not.toContain('<script')
  const bundle = await ask('POST', '/diagnostics', { cookie })
  expect(bundle.headers['content-disposition']).toMatch(/attachment/)
  expect(JSON.parse(bundle.text)).toEqual({ log: ['line'] })
  await ask('POST', '/logout', { cookie })
  expect((await ask('GET', '/settings', { cookie })).status).toBe(303)
})

test('a form of another page is refused', async () => {
  const cookie = await logIn()
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }])
    expect((await ask('POST', '/diagnostics', { cookie, headers })).status).toBe(403)
})

test('settings are checked by the same rules as the file, secrets are not shown and stay', async () => {
  const cookie = await logIn()
  const shown = await ask('GET', '/settings', { cookie })
  expect(shown.text).not.toMatch(/correct horse|0123456789abcdef/)
  const bad = await ask('POST', '/settings', { cookie, form: { settings: '{\n"uplink": {"address": "10.0.0.1"}}' } })
  expect(bad.status).toBe(400)
  expect(bad.text).toContain('line 2, uplink.address: expected an address with its prefix length')
  const text = '{"manager":"https://other.example","uplink":{"dns":["10.0.0.1"],"wifi":{"ssid":"x","psk":"********"}}}'
  expect((await ask('POST', '/settings', { cookie, form: { settings: text } })).status).toBe(200)
  expect(settings).toEqual({
    manager: 'https://other.example',
    token: '0123456789abcdef',
    uplink: { dns: ['10.0.0.1'], wifi: { ssid: 'x', psk: 'correct horse' } },
  })
  expect((await ask('POST', '/settings', { cookie, form: { settings: 'x'.repeat(20_000) } })).status).toBe(500)
})

test('guessing is slowed down', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push((await ask('POST', '/login', { form: { credential: `guess ${n}` } })).status)
  expect(statuses).toEqual([403, 403, 403, 403, 403, 429])
})

describe('the guard', () => {
  test('forgets tries after a minute, and sessions after half an hour', () => {
    const guard = createGuard('abcd-efgh-jkmn')
    for (let n = 0; n < 5; n++) guard.open('x', 'a', n)
    expect(guard.open('abcd-efgh-jkmn', 'a', 10)).toEqual({ refused: 'too-many' })
    const opened = guard.open(' ABCDefghJKMN ', 'a', 70_000)
    const session = 'session' in opened ? opened.session : expect.fail('not opened')
    expect(guard.isOpen(session, 70_000 + 29 * 60_000)).toBe(true)
    expect(guard.isOpen(session, 70_000 + 31 * 60_000)).toBe(false)
  })
  test('counts the tries of all clients', () => {
    const guard = createGuard('abcd-efgh-jkmn')
    for (let n = 0; n < 30; n++) guard.open('x', `client ${n}`, n)
    expect(guard.open('abcd-efgh-jkmn', 'another', 100)).toEqual({ refused: 'too-many' })
  })
  test('makes credentials of letters that nobody confuses', () => {
    for (let n = 0; n < 50; n++) expect(newCredential()).toMatch(/^([a-hjkmnp-tv-z2-9]{4}-?){3}$/)
  })
})

test('the certificate is one that others read', () => {
  const cert = new X509Certificate(makeIdentity().replace(/^.*(?=-----BEGIN CERT)/s, ''))
  expect(cert.subject).toBe('CN=Bridgehead appliance')
  expect(cert.verify(cert.publicKey)).toBe(true)
  expect(cert.ca).toBe(false)
  expect(cert.checkHost('bridgehead')).toBe('bridgehead')
})
