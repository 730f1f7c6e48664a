import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'

const dir = mkdtempSync(join(tmpdir(), 'bridgehead-config-'))
afterAll(() => rmSync(dir, { recursive: true }))

const GOOD = { manager: 'https://manager.example:8443', fingerprint: `${'AB:'.repeat(31)}CD`, token: 'one-time-token-0123456789' }
let files = 0
function file(content: unknown): string {
  const path = join(dir, `${files++}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const read = (content: unknown, env: Record<string, string> = {}) => readConfig(['--config', file(content), '--data', dir], env)

test('a good file gives a frozen config with standard ports', () => {
  const got = read(GOOD)
  expect(got).toMatchObject({
    run: 'daemon',
    config: {
      manager: GOOD.manager,
      fingerprint: `${'ab'.repeat(31)}cd`,
      logLevel: 'info',
      overlayInterface: 'bh-uplink',
      ports: { dhcp: 67, pxe: 4011, dns: 53, tftp: 69, http: 80 },
    },
  })
  expect(got.run === 'daemon' && Object.isFrozen(got.config) && Object.isFrozen(got.config.ports)).toBe(true)
})

test('ports can be moved one by one', () => {
  expect(read(GOOD, { BRIDGEHEAD_PORTS: 'dhcp=6767, http=8080' })).toMatchObject({ config: { ports: { dhcp: 6767, http: 8080, dns: 53 } } })
})

test('plain http is good enough for loopback', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) expect(read({ manager: `http://${host}:8420` })).toMatchObject({ run: 'daemon' })
})

test('help and version need no file', () => {
  expect(readConfig(['--help'], {})).toEqual({ run: 'help' })
  expect(readConfig(['--version'], {})).toEqual({ run: 'version' })
})

for (const { what, content, env, says } of [
  { what: 'no manager', content: { token: GOOD.token }, says: /token: expected "manager" beside it/ },
  { what: 'plain http to another machine', content: { manager: 'http://10.0.0.1:8420' }, says: /manager: expected https/ },
  { what: 'a short fingerprint', content: { ...GOOD, fingerprint: 'abcd' }, says: /fingerprint: expected a SHA-256/ },
  { what: 'an unknown name', content: { ...GOOD, tokne: 'x' }, says: /tokne/ },
  { what: 'no JSON', content: '{', says: /line 1: no valid JSON here/ },
  { what: 'an unknown port', content: GOOD, env: { BRIDGEHEAD_PORTS: 'ftp=21' }, says: /BRIDGEHEAD_PORTS: expected .* got "ftp=21"/ },
  { what: 'a port out of range', content: GOOD, env: { BRIDGEHEAD_PORTS: 'dns=70000' }, says: /BRIDGEHEAD_PORTS/ },
  { what: 'an unknown log level', content: GOOD, env: { BRIDGEHEAD_LOG: 'loud' }, says: /BRIDGEHEAD_LOG: expected one of/ },
  {
    what: 'a long interface name',
    content: GOOD,
    env: { BRIDGEHEAD_OVERLAY_INTERFACE: 'a'.repeat(16) },
    says: /OVERLAY_INTERFACE: expected/,
  },
])
  test(`${what} is refused by name`, () => {
    expect(() => read(content, env)).toThrow(ConfigError)
    expect(() => read(content, env)).toThrow(says)
  })

test('a site without any uplink needs no manager', () => {
  expect(read({})).toMatchObject({ run: 'daemon', config: { ports: { http: 80 } } })
})

test('import takes a file, a data directory, and the fingerprint as people copy it', () => {
  const trust = 'AB:'.repeat(31)
  expect(readConfig(['import', '/media/stick/site.tar', '--data', dir, '--trust', `${trust}CD`], {})).toEqual({
    run: 'import',
    file: '/media/stick/site.tar',
    data: dir,
    trust: `${'ab'.repeat(31)}cd`,
    media: undefined,
  })
  expect(readConfig(['import', '-', '--data', dir, '--media', dir], {})).toMatchObject({ file: '-', media: dir })
})

for (const { argv, says } of [
  { argv: ['import'], says: /import: expected the path of one offline bundle/ },
  { argv: ['import', 'a.tar', 'b.tar', '--data', dir], says: /import: expected the path of one/ },
  { argv: ['import', 'a.tar'], says: /--data: expected the appliance's data directory/ },
  { argv: ['import', 'a.tar', '--data', dir, '--config', 'x'], says: /--config is not for import/ },
  { argv: ['import', 'a.tar', '--data', dir, '--trust', 'abcd'], says: /--trust: expected a SHA-256 fingerprint/ },
  { argv: ['improt', 'a.tar', '--data', dir], says: /unknown command "improt"/ },
  { argv: ['--data', dir, '--trust', 'ab'.repeat(32)], says: /--trust belongs to "import FILE"/ },
])
  test(`${argv.slice(0, 3).join(' ') || 'no file'} ... is refused by name: ${says.source}`, () => {
    expect(() => readConfig(argv, {})).toThrow(ConfigError)
    expect(() => readConfig(argv, {})).toThrow(says)
  })

test('missing and unknown options are named', () => {
  expect(() => readConfig([], {})).toThrow(/--config: expected/)
  expect(() => readConfig(['--config', file(GOOD)], {})).toThrow(/--data: expected/)
  expect(() => readConfig(['--confg', 'x'], {})).toThrow(/--confg/)
})
