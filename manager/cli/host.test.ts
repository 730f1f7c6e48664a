import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { distance } from './find-host.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

/** One story, in order: a machine is seen, approved, installed, and looked at. */
let rig: CliRig
let site: string
const HOST = '01a20000-0000-7000-8000-00000000000a'
const mac = '52:54:00:00:00:01' as never
beforeAll(async () => {
  rig = await startCliRig()
  await rig.cli(['site', 'add', 'berlin', '--lan', '192.168.1.2/24', '--mode', 'serve'])
  await rig.cli(['site', 'add', 'paris', '--lan', '192.168.1.2/24'])
  site = JSON.parse((await rig.cli(['site', 'show', 'berlin', '--json'])).stdout).id
  const target = { kernel: file('linux'), initrd: file('initrd') }
  await post('/profiles', { name: 'debian', targets: { x86_64: target } })
  await tell(rig.harness.fact('host.discovered', { facts: { macs: [mac], platform: 'bios-x86', vendor: 'QEMU' }, lan: 'lan' }, HOST))
})
afterAll(() => rig.close())

const file = (name: string) => ({ sha256: 'a'.repeat(64), bytes: 1, name })
const tell = (...facts: ReturnType<CliRig['harness']['fact']>[]) => rig.harness.manager.ingest(site, facts)
async function post(path: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${rig.key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${rig.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status, await answer.text()).toBe(201)
}
const stdout = async (...args: string[]) => {
  const said = await rig.cli(args)
  expect([said.code, said.stderr]).toEqual([0, ''])
  return said.stdout
}

test('a machine that was seen waits for somebody', async () => {
  const text = await stdout('host', 'ls')
  expect(text).toMatch(/^1 host: 1 needs you\n/)
  expect(text).toMatch(/! berlin\/\S+ +waits for approval, seen just now/)
  expect(text).toContain('→ bridgehead host approve berlin/')
})

test('it is found by its MAC address, and approved under a name', async () => {
  expect(await stdout('host', 'approve', '52-54-00-00-00-01', '--name', 'db1', '--tag', 'role=db')).toBe(
    'approved berlin/db1\n  → install it: bridgehead host install berlin/db1 --profile PROFILE\n',
  )
  expect(await stdout('host', 'show', 'db1')).toContain('✓ berlin/db1: approved, seen just now\n')
})

test('an unknown name brings those that come near', async () => {
  expect((await rig.cli(['host', 'show', 'db2'])).stderr).toContain('there is no host "db2"\n  → perhaps berlin/db1?\n')
  expect((await rig.cli(['host', 'show', 'rome/db1'])).stderr).toContain('there is no site "rome"')
  expect([distance('db1', 'db2'), distance('', 'abc'), distance('kitten', 'sitting')]).toEqual([1, 3, 3])
})

test('a name that two sites have is asked for with its site', async () => {
  await post('/hosts', { site: 'paris', name: 'db1', macs: ['52:54:00:00:00:02'] })
  const { code, stderr } = await rig.cli(['host', 'show', 'db1'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('2 hosts are named "db1"\n  → say which: ')])
  expect(await stdout('host', 'ls', 'role=db')).toContain('1 host: 1 fine')
})

test('an installation wants a profile, and the name of what is lost', async () => {
  const missing = await rig.cli(['host', 'install', 'berlin/db1', '--yes'])
  expect([missing.code, missing.stderr]).toEqual([
    2,
    expect.stringContaining('has no profile, so it is not known what it shall become\n  → --profile debian\n'),
  ])
  const args = ['host', 'install', 'berlin/db1', '--profile', 'debian']
  expect((await rig.cli(args)).stderr).toContain('this overwrites the disk of berlin/db1\n  → if that is meant: --yes\n')
  expect(await rig.cli(args, { answers: ['yes'] })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not confirmed; nothing was changed'),
  })
  expect((await rig.cli(args, { answers: ['db1'] })).stdout).toContain('berlin/db1 will be installed at its next boot from the network\n')
  expect(await stdout('host', 'ls', 'role=db')).toContain('… berlin/db1  will be installed at its next boot')
})

test('many are taken by a selector, and none is an error', async () => {
  expect((await rig.cli(['host', 'approve', '--selector', 'site=berlin', '--json'])).stderr).toContain('"code":"no-hosts"')
  const install = ['host', 'install', '--profile', 'debian', '--selector']
  expect((await rig.cli([...install, 'role in db'])).stderr).toContain('  role in db\n          ^\n')
  const many = await rig.cli([...install, ''], { answers: ['2'] })
  expect([many.code, many.stderr]).toEqual([
    0,
    expect.stringMatching(/overwrites the disk of .*db1, .*db1\ntype how many hosts that are \(2\)/),
  ])
  expect((await rig.cli(['host', 'install'])).stderr).toContain('expected either names of hosts or --selector, got neither')
})

test('what it would be told is explained in sentences', async () => {
  const text = await stdout('host', 'explain', 'berlin/db1')
  expect(text).toMatch(/^berlin\/db1 would be installed as "debian"\n/)
  expect(text).toContain('because intent "install" with profile "debian" version 1, x86_64\n')
  expect(text).toContain('! the site has applied no state yet')
  expect(await stdout('host', 'explain', 'berlin/db1', '--script')).toMatch(/^#!ipxe\n/)
  expect(JSON.parse(await stdout('host', 'explain', 'berlin/db1', '--platform', 'uefi-arm64', '--json'))).toMatchObject({
    platform: 'uefi-arm64',
  })
})

test('its boot is bars, and goes on as it is watched until the host is ready', async () => {
  const stage = (name: string, more = {}) => rig.harness.fact('boot.stage', { boot: 'b1', stage: name as never, ...more }, HOST)
  await tell(stage('discover'), stage('ack'), rig.harness.fact('host.status', { status: 'installing' }, HOST))
  expect(await stdout('host', 'timeline', 'berlin/db1')).toContain('berlin/db1: boots since 0.0 s, now at "ack"\n')
  const watched = rig.cli(['host', 'timeline', 'berlin/db1', '--follow'])
  await new Promise((resolve) => setTimeout(resolve, 1_000)) // it listens by now, on a busy computer, too
  rig.harness.clock.advance(1_000)
  await tell(stage('image', { bytes: 2 ** 20, ms: 500 }), stage('phone-home'), rig.harness.fact('host.status', { status: 'ready' }, HOST))
  const { code, stdout: text } = await watched
  expect(code).toBe(0)
  expect(text).toMatch(/^berlin\/db1: booted just now, 4 steps in 1\.0 s, last "phone-home"\n\n {2}this boot\n {2}discover/)
  expect(text).toContain('image')
})

test('logs say what happened, where and to whom', async () => {
  const text = await stdout('logs', '-n', '3')
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => line.slice(21)),
  ).toEqual(['berlin/db1  boots: image, 1.0 MiB in 0.5 s', 'berlin/db1  boots: phone-home', 'berlin/db1  is ready'])
  expect(await stdout('logs', '--host', 'paris/db1', '--json')).toBe('')
  const all = (await stdout('logs', '--after', '0', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).kind)
  expect(all.slice(0, 1)).toEqual(['host.discovered'])
})

test('logs go on, and end with Ctrl-C', async () => {
  const stop = new AbortController()
  const { promise: heard, resolve } = Promise.withResolvers<void>()
  const watched = rig.cli(['logs', '-f', '-n', '0'], { signal: stop.signal, onOutput: () => resolve() })
  await new Promise((done) => setTimeout(done, 1_000))
  await tell(rig.harness.fact('state.applied', { revision: 7 }))
  await heard
  stop.abort()
  expect(await watched).toMatchObject({ code: 0, stdout: expect.stringMatching(/ {2}berlin {2}applied revision 7\n$/) })
})

test('a script has versions; the same text is no new one', async () => {
  const path = join(rig.directory, 'hello.sh')
  await writeFile(path, 'echo hello {{ vars.who }}\n')
  expect(await stdout('script', 'add', 'hello', path)).toBe('hello is now at version 1\n  → run it: bridgehead script run hello SELECTOR\n')
  expect(await stdout('script', 'add', 'hello', path)).toBe('hello is just so already, at version 1\n')
  expect(
    (await rig.cli(['script', 'add', 'hello', '-'], { env: { BRIDGEHEAD_URL: rig.url, BRIDGEHEAD_KEY: rig.key }, stdin: 'id\n' })).stdout,
  ).toContain('version 2')
  expect((await rig.cli(['script', 'show', 'hello', '--version', '1'])).stdout).toBe('echo hello {{ vars.who }}\n')
  expect(await stdout('script', 'ls')).toContain('hello   bash  2        1 line')
  expect((await rig.cli(['script', 'add', 'x', '/nowhere'])).stderr).toContain('/nowhere cannot be read')
  expect((await rig.cli(['script', 'add', 'x', '-'], { stdin: 'd-i' })).stderr).toContain('→ --kind ipxe|preseed')
  expect((await rig.cli(['script', 'run', 'gone', ''])).stderr).toContain('there is no script "gone"')
})
