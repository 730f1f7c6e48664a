import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSignedIdentity, type TlsIdentity } from '../engines/tls/certificate.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

/** A manager with its own certificate, and one that somebody put in its place. */
let directory: string
let identity: TlsIdentity
let rig: CliRig
let impostor: CliRig
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-tls-'))
  const make = (name: string) => selfSignedIdentity({ directory: join(directory, name), hosts: [], now: Date.now() })
  identity = await make('manager')
  rig = await startCliRig({ tls: identity })
  impostor = await startCliRig({ tls: await make('impostor') })
})
afterAll(async () => {
  await rig.close()
  await impostor.close()
  await rm(directory, { recursive: true })
})

const login = (more: string[] = [], typed: Parameters<CliRig['cli']>[1] = {}) =>
  rig.cli(['login', '--url', rig.url, ...more], { env: {}, ...typed })
const kept = async () => JSON.parse(await readFile(join(rig.directory, 'bridgehead', 'config.json'), 'utf8'))

test('its fingerprint is shown and asked about, before the key is', async () => {
  const no = await login([], { answers: ['no', rig.key] })
  expect([no.code, no.stderr]).toEqual([1, expect.stringContaining(`Its certificate has SHA-256\n  ${identity.fingerprint}\n`)])
  expect(no.stderr).toContain('the certificate was not accepted; nothing was sent')
  const yes = await login([], { answers: ['yes', rig.key] })
  expect([yes.code, yes.stdout]).toEqual([0, expect.stringContaining(`logged in to ${rig.url} as laptop`)])
  expect((await kept()).certificate).toContain('-----BEGIN CERTIFICATE-----')
  expect((await rig.cli(['site', 'ls'], { env: {} })).stdout).toContain('no sites yet')
  expect((await rig.cli(['site', 'add', 'berlin'], { env: {} })).code).toBe(0) // with a body
})

test('without a terminal the fingerprint is given along', async () => {
  const stdin = rig.key
  expect((await login([], { stdin })).stderr).toContain(`→ if it is the manager's own: --fingerprint ${identity.fingerprint}`)
  expect((await login(['--fingerprint', identity.fingerprint], { stdin })).code).toBe(0)
  const other = await login(['--fingerprint', 'a'.repeat(64)], { stdin })
  expect([other.code, other.stderr]).toEqual([1, expect.stringContaining(`shows certificate ${identity.fingerprint}, expected aaaa`)])
})

test('another certificate in its place is no manager of ours', async () => {
  const { certificate } = await kept()
  await impostor.cli(['login', '--url', impostor.url], { env: {}, answers: ['yes', impostor.key] })
  const file = join(impostor.directory, 'bridgehead', 'config.json')
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), certificate }))
  const { code, stderr } = await impostor.cli(['site', 'ls'], { env: {} })
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(`${impostor.url} shows another certificate than the one that was accepted at login`),
  ])
})

test('a manager that is asked without a login says how to accept it', async () => {
  const { stderr } = await rig.cli(['site', 'ls'], {
    env: { BRIDGEHEAD_URL: rig.url.replace('127.0.0.1', 'localhost'), BRIDGEHEAD_KEY: rig.key },
  })
  expect(stderr).toContain('no authority that this machine knows vouches for the certificate of https://localhost:')
  expect(stderr).toContain('→ see its fingerprint and accept it: bridgehead login --url https://localhost:')
})

test('live output comes over the pinned connection too', async () => {
  const stop = new AbortController()
  const { promise: heard, resolve } = Promise.withResolvers<void>()
  const watched = rig.cli(['logs', '-f', '-n', '0'], { env: {}, signal: stop.signal, onOutput: () => resolve() })
  await new Promise((done) => setTimeout(done, 200))
  const { id } = await rig.harness.db.selectFrom('sites').select('id').executeTakeFirstOrThrow()
  await rig.harness.manager.ingest(id, [rig.harness.fact('state.applied', { revision: 3 })])
  await heard
  stop.abort()
  expect((await watched).stdout).toContain('berlin  applied revision 3')
})

test('plain HTTP to another machine, and addresses that are none, are refused', async () => {
  const said = async (url: string) => (await rig.cli(['login', '--url', url], { env: {} })).stderr
  expect(await said('http://manager.example:8420')).toContain('http://manager.example:8420 would get the key in clear\n  → use https://')
  expect(await said('ftp://x')).toContain('--url: expected the manager\'s address, such as https://manager.example:8443, got "ftp://x"')
  const plain = await rig.cli(['login', '--url', rig.url.replace('https', 'http')], { env: {}, stdin: rig.key })
  expect(plain.stderr).toContain(`the connection was cut\n  → does it want TLS? bridgehead login --url ${rig.url}\n`)
})

test('logout forgets the key', async () => {
  expect((await rig.cli(['logout'], { env: {} })).stdout).toContain('logged out')
  expect((await rig.cli(['whoami'], { env: {} })).stderr).toContain('nobody is logged in here')
})
