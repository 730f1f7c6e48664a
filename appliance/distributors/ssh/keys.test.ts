import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fingerprint, isPinned, parseHostKeys, preferredAlgorithms, refusal } from './host-keys.ts'
import { makeOpensshKey, publicHalf } from './openssh-key.ts'
import { createGroupFinder, scriptInput } from './script.ts'
import { loadOrCreateSiteKey, SiteKeyError } from './site-key.ts'

// a known key: `ssh-keygen -l` prints this fingerprint for it
const LINE = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUDuH3Bgfjz8FFBLTRjMBOtU7rqUxHVGRdgdc3rtPOc root@node1'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bridgehead-key-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test("the site's key is made once, for its owner alone", async () => {
  const made = await loadOrCreateSiteKey(join(dir, 'ssh'))
  expect(made.publicLine).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=* bridgehead-site$/)
  expect(ssh2.utils.parseKey(made.privateKey)).not.toBeInstanceOf(Error)
  expect((await stat(join(dir, 'ssh', 'id_ed25519'))).mode & 0o777).toBe(0o600)
  expect((await stat(join(dir, 'ssh'))).mode & 0o777).toBe(0o700)
  expect(await readFile(join(dir, 'ssh', 'id_ed25519.pub'), 'utf8')).toBe(`${made.publicLine}\n`)
  expect(await loadOrCreateSiteKey(join(dir, 'ssh'))).toEqual(made)
})

test('every key that is made can be read', () => {
  for (let made = 0; made < 1000; made++) {
    const key = makeOpensshKey('x'.repeat(made % 9))
    const parsed = ssh2.utils.parseKey(key)
    if (parsed instanceof Error) throw parsed
    expect([parsed.type, parsed.comment, parsed.getPublicSSH()]).toEqual(['ssh-ed25519', 'x'.repeat(made % 9), publicHalf(key)])
    expect(parsed.verify('text', parsed.sign('text'))).toBe(true)
  }
})

test('a key of another kind or maker is used as it is', async () => {
  const { private: key, public: line } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
  expect(publicHalf(key)).toBeUndefined()
  await loadOrCreateSiteKey(join(dir, 'other'))
  await writeFile(join(dir, 'other', 'id_ed25519'), key)
  expect((await loadOrCreateSiteKey(join(dir, 'other'))).publicLine).toBe(`${line.trim()} bridgehead-site`)
})

for (const [what, spoil] of [
  ['that was cut', (key: string) => `${key.slice(0, 200)}\n-----END OPENSSH PRIVATE KEY-----\n`],
  ['whose halves differ', (key: string) => key.replace(/(?<=\n.{70}\n.{10})./, (letter) => (letter === 'A' ? 'B' : 'A'))],
  ['that is empty', () => '-----BEGIN OPENSSH PRIVATE KEY-----\n\n-----END OPENSSH PRIVATE KEY-----\n'],
] as const)
  test(`a key ${what} has no public half`, () => {
    const key = makeOpensshKey('')
    expect(spoil(key)).not.toBe(key)
    expect(publicHalf(spoil(key))).toBeUndefined()
  })

test('a file that holds no key is not replaced', async () => {
  await loadOrCreateSiteKey(join(dir, 'broken'))
  await writeFile(join(dir, 'broken', 'id_ed25519'), 'rubbish')
  await expect(loadOrCreateSiteKey(join(dir, 'broken'))).rejects.toThrow(SiteKeyError)
  expect(await readFile(join(dir, 'broken', 'id_ed25519'), 'utf8')).toBe('rubbish')
})

test('host key lines are read; what is none is left out', () => {
  const lines = [
    LINE,
    '',
    '# comment',
    'ssh-ed25519',
    'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJUDuH3Bgfjz8FFBLTRjMBOtU7rqUxHVGRdgdc3rtPOc',
    'ssh-ed25519 !!!',
  ]
  expect(parseHostKeys(lines).map((key) => fingerprint(key.blob))).toEqual([
    expect.stringMatching(/^ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}$/),
  ])
})

test('only the pinned bytes pass', () => {
  const pinned = parseHostKeys([LINE])
  const blob = pinned[0]?.blob ?? Buffer.alloc(0)
  const other = Buffer.from(blob)
  other.writeUInt8(other.readUInt8(other.length - 1) ^ 1, other.length - 1)
  expect([isPinned(pinned, blob), isPinned(pinned, other), isPinned([], blob), isPinned(pinned, Buffer.alloc(0))]).toEqual([
    true,
    false,
    false,
    false,
  ])
  expect(refusal('192.0.2.7', pinned, other)).toContain(`presented the host key ${fingerprint(other)}, expected ${fingerprint(blob)}`)
})

test('a host is asked first for the kinds of key that are pinned', () => {
  expect(preferredAlgorithms([{ type: 'ssh-rsa', blob: Buffer.alloc(0) }]).slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
  expect(preferredAlgorithms(parseHostKeys([LINE]))[0]).toBe('ssh-ed25519')
  expect(preferredAlgorithms([])).toHaveLength(6)
})

test('the length that the first line names is that of the script in bytes', () => {
  const [line, ...script] = scriptInput('echo "ü😀"\r\necho \0x').split('\n')
  expect(line).toContain(` -N ${Buffer.byteLength('echo "ü😀"\necho x\n')} `)
  expect(script.join('\n')).toBe('echo "ü😀"\necho x\n')
})

for (const { said, pieces, shown, group } of [
  { said: 'our line alone', pieces: ['bridgehead-process-group 42\n'], shown: '', group: '42' },
  { said: 'our line in pieces', pieces: ['bridgehead-proc', 'ess-group 4', '2\nafter'], shown: 'after', group: '42' },
  { said: 'something before it', pieces: ['motd\nbridgehead-process-group 42\n', 'x'], shown: 'motd\nx', group: '42' },
  { said: 'a line that is not ours', pieces: ['bridgehead-process-group 1; rm\n'], shown: '', group: undefined },
  { said: 'no line of ours', pieces: ['bash: not found\n'], shown: 'bash: not found\n', group: undefined },
  {
    said: 'the line twice',
    pieces: ['bridgehead-process-group 42\n', 'bridgehead-process-group 43\n'],
    shown: 'bridgehead-process-group 43\n',
    group: '42',
  },
])
  test(`of ${said} the host's process group is ${group}`, () => {
    const finder = createGroupFinder()
    const seen = Buffer.concat([...pieces.map((piece) => finder.add(Buffer.from(piece))), finder.rest()])
    expect(seen.toString()).toBe(shown)
    expect(finder.group()).toBe(group)
  })
