import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSshRunner, type SshHost, type SshRunner } from '@bridgehead/appliance/distributors/ssh/runner.ts'
import type { RunOrder } from '@bridgehead/appliance/distributors/ssh/runs.ts'
import { createConnect } from '@bridgehead/appliance/distributors/ssh/session.ts'
import { loadOrCreateSiteKey, type SiteKey } from '@bridgehead/appliance/distributors/ssh/site-key.ts'
import { createOutbox, type Outbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore, type Store } from '@bridgehead/appliance/store/store.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { freePort } from './free-port.ts'
import type { ProcessSettings } from './ssh-runner-process.ts'
import { startSshd } from './sshd.ts'
import { eventsOf, toldOf } from './told-of.ts'

const IP = '127.0.0.1' as Ipv4
const HOST = newId()
const user = userInfo().username

let dir = ''
let port = 0
let key: SiteKey
let hostKey = ''
let sshd: ChildProcess

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bridgehead-ssh-'))
  key = await loadOrCreateSiteKey(join(dir, 'site'))
  port = await freePort()
  ;({ hostKey, process: sshd } = await startSshd(dir, { ip: IP, port, authorized: key.publicLine }))
})

afterAll(async () => {
  sshd.kill('SIGTERM')
  await rm(dir, { recursive: true, force: true })
})

let store: Store
let outbox: Outbox
let runner: SshRunner
let host: SshHost | undefined

beforeEach(async () => {
  store = openStore(':memory:')
  outbox = createOutbox(store.db, { clock: systemClock, newId })
  host = { ip: IP, hostKeys: [hostKey] }
  runner = makeRunner(port)
  await runner.start()
})

afterEach(async () => {
  await runner.stop()
  store.close()
})

function makeRunner(at: number): SshRunner {
  const connect = createConnect({ privateKey: key.privateKey, clock: systemClock })
  return createSshRunner({ store, outbox, log: silentLog, clock: systemClock, connect, host: () => host, port: at, random: () => 0 })
}

const order = (text: string, more: Partial<RunOrder> = {}): RunOrder => ({
  run: newId(),
  command: newId(),
  host: HOST,
  user,
  text,
  timeoutMs: 20_000,
  ...more,
})

const told = (run: string) => toldOf(outbox, run)

async function finished(run: string) {
  await vi.waitFor(() => expect(told(run).finished).toHaveLength(1), { timeout: 30_000, interval: 20 })
  return told(run)
}

async function execute(text: string, more: Partial<RunOrder> = {}) {
  const one = order(text, more)
  await store.write(() => runner.run(one))
  return finished(one.run)
}

test('a script runs and its output, both streams, and exit code come back', async () => {
  const result = await execute('echo "hello $0 $(id -un)"\necho oops >&2\nexit 3')
  expect(result).toMatchObject({ stdout: `hello bash ${user}\n`, stderr: 'oops\n', exitCode: 3, error: undefined })
  expect(result.kinds.at(0)).toBe('run.started')
  expect(result.kinds.at(-1)).toBe('run.finished')
})

for (const { script, text, gives } of [
  { script: 'quotes, dollars and backslashes', text: `printf '%s\\n' 'a"b$c\`d\\e'`, gives: { stdout: 'a"b$c`d\\e\n', exitCode: 0 } },
  { script: 'letters of many bytes', text: 'echo "grüße 日本 😀"', gives: { stdout: 'grüße 日本 😀\n', exitCode: 0 } },
  { script: 'a here-document', text: 'cat <<END\none\ntwo\nEND', gives: { stdout: 'one\ntwo\n', exitCode: 0 } },
  { script: 'commands that read', text: 'cat\nread x; echo "read $?"\necho after', gives: { stdout: 'read 1\nafter\n', exitCode: 0 } },
  { script: 'Windows line ends', text: 'echo one\r\necho two\r\n', gives: { stdout: 'one\ntwo\n', exitCode: 0 } },
  {
    script: 'options that change the syntax below',
    text: 'shopt -s extglob\ncase ab in @(ab|cd)) echo yes;; esac',
    gives: { stdout: 'yes\n', exitCode: 0 },
  },
  { script: 'a failing last command', text: 'set -e\nfalse\necho never', gives: { stdout: '', exitCode: 1 } },
  { script: 'nothing', text: '', gives: { stdout: '', exitCode: 0 } },
  { script: 'a background job that keeps the output open', text: 'sleep 30 & echo done', gives: { stdout: 'done\n', exitCode: 0 } },
])
  test(`a script with ${script} works`, async () => expect(await execute(text)).toMatchObject({ ...gives, error: undefined }))

test('a script that does not parse fails with what bash says', async () => {
  const result = await execute('if true\n')
  expect(result.exitCode).not.toBe(0)
  expect(result.stderr).toMatch(/syntax error/)
})

test('a script of 256 KiB arrives whole', async () => {
  const result = await execute(`${'# x\n'.repeat(65_000)}echo end`)
  expect(result).toMatchObject({ stdout: 'end\n', exitCode: 0 })
})

test('a wrong host key is refused before anything is sent', async () => {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'other')])
  const other = await readFile(join(dir, 'other.pub'), 'utf8')
  const print = async (file: string) => (await execa('ssh-keygen', ['-l', '-f', join(dir, file)])).stdout.split(' ')[1] ?? ''
  host = { ip: IP, hostKeys: [other] }
  const mark = join(dir, 'touched')
  const result = await execute(`touch ${mark}`)
  expect(result.kinds).toEqual(['run.finished'])
  expect(result.error).toContain(
    `presented the host key ssh-ed25519 ${await print('host.pub')}, expected ssh-ed25519 ${await print('other.pub')}`,
  )
  await expect(stat(mark)).rejects.toThrow('ENOENT')
})

test('a host without pinned keys is refused', async () => {
  host = { ip: IP, hostKeys: [] }
  expect(await execute('true')).toMatchObject({
    kinds: ['run.finished'],
    exitCode: null,
    error: expect.stringMatching(/no pinned host key.*phone home/),
  })
})

test('a user who has not authorised the site key is named in the error', async () => {
  const result = await execute('true', { user: 'nobody' })
  expect(result.error).toMatch(/refused the site's key for user "nobody"; add the site's public key/)
})

test('an unknown host is an error of its own', async () => {
  host = undefined
  expect((await execute('true')).error).toMatch(/is not known at this site/)
})

test('long output comes in bounded parts up to its limit, then a note, and the script goes on', async () => {
  const mark = join(dir, 'long-done')
  const one = order(`seq 1 400000; touch ${mark}`)
  await store.write(() => runner.run(one))
  const result = await finished(one.run)
  expect(result.exitCode).toBe(0)
  await stat(mark)
  expect(result.stdout.startsWith('1\n2\n3\n')).toBe(true)
  expect(Buffer.byteLength(result.stdout)).toBeLessThanOrEqual(1_048_576)
  expect(Buffer.byteLength(result.stdout)).toBeGreaterThan(1_040_000)
  expect(result.stderr).toMatch(/more than 1024 KiB; the rest was dropped/)
  const parts = eventsOf(outbox, one.run).flatMap((event) => (event.kind === 'run.output' ? [event.data] : []))
  expect(parts.map((part) => part.seq)).toEqual(parts.map((_, index) => index))
  expect(Math.max(...parts.map((part) => Buffer.byteLength(part.text)))).toBeLessThanOrEqual(16_384)
})

test('output comes while the script runs', async () => {
  const one = order('echo first; sleep 2; echo second')
  await store.write(() => runner.run(one))
  await vi.waitFor(() => expect(told(one.run)).toMatchObject({ stdout: 'first\n', finished: [] }), { timeout: 5000, interval: 20 })
  expect((await finished(one.run)).stdout).toBe('first\nsecond\n')
})

test('a time-out ends the script and what it started', async () => {
  const mark = join(dir, 'late')
  const result = await execute(`echo begun; sleep 6; touch ${mark}`, { timeoutMs: 2000 })
  expect(result).toMatchObject({ stdout: 'begun\n', exitCode: null, error: expect.stringMatching(/^ended after its 2 s/) })
  await new Promise((done) => setTimeout(done, 5000))
  await expect(stat(mark)).rejects.toThrow('ENOENT')
})

test('a script that shuts its ears to SIGTERM is killed', async () => {
  const result = await execute(`trap '' TERM; while :; do sleep 0.1; done`, { timeoutMs: 1000 })
  expect(result).toMatchObject({ exitCode: null, error: expect.stringMatching(/^ended after its 1 s/) })
})

test('a script under way can be cancelled', async () => {
  const one = order('echo begun; sleep 60')
  await store.write(() => runner.run(one))
  await vi.waitFor(() => expect(told(one.run).stdout).toBe('begun\n'), { timeout: 5000 })
  await store.write(() => runner.cancel(one.run))
  expect(await finished(one.run)).toMatchObject({ exitCode: null, error: 'cancelled while it ran; the script may have run in part' })
})

test('a script that ends its own connection is told apart', async () => {
  const result = await execute('echo begun; kill -9 $PPID; sleep 60')
  expect(result).toMatchObject({ exitCode: null, error: expect.stringMatching(/connection to 127\.0\.0\.1 broke.*may have run in part/) })
})

test('a script killed by a signal says which', async () => {
  expect(await execute('kill -KILL $$')).toMatchObject({ exitCode: null, error: 'the script was ended by signal SIGKILL' })
})

test('the same run twice runs once', async () => {
  const mark = join(dir, 'count')
  const one = order(`echo x >> ${mark}`)
  await store.write(() => [one, one].forEach(runner.run))
  await finished(one.run)
  await store.write(() => runner.run(one))
  await execute('true')
  expect(await readFile(mark, 'utf8')).toBe('x\n')
  expect(told(one.run).finished).toHaveLength(1)
})

test('forty runs take their turns, twenty at a time', async () => {
  const command = newId()
  const all = Array.from({ length: 40 }, () => order('sleep 0.3; echo $RANDOM', { command }))
  await store.write(() => all.forEach(runner.run))
  let most = 0
  const watch = setInterval(() => {
    const rows = store.db.prepare<[], { n: number }>("SELECT count(*) AS n FROM runs WHERE state = 'started'").get()
    most = Math.max(most, rows?.n ?? 0)
  }, 10)
  for (const one of all) expect((await finished(one.run)).exitCode).toBe(0)
  clearInterval(watch)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(20)
  expect(store.db.prepare('SELECT * FROM run_orders').all()).toEqual([])
})

test('a host that is still booting is waited for', async () => {
  await runner.stop()
  const later = await freePort()
  runner = makeRunner(later)
  await runner.start()
  const one = order('echo up')
  await store.write(() => runner.run(one))
  await new Promise((done) => setTimeout(done, 1500))
  expect(told(one.run).kinds).toEqual([])
  const child = spawn('/usr/sbin/sshd', ['-D', '-f', join(dir, 'sshd_config'), '-p', `${later}`], { stdio: 'ignore' })
  expect(await finished(one.run)).toMatchObject({ stdout: 'up\n', exitCode: 0 })
  child.kill('SIGTERM')
})

test('a host that never answers fails within its time, with what was seen', async () => {
  await runner.stop()
  runner = makeRunner(await freePort())
  await runner.start()
  const result = await execute('true', { timeoutMs: 2500 })
  expect(result.error).toMatch(/^not reached within 3 s: 127\.0\.0\.1 refuses connections to port \d+; check that its SSH server runs/)
})

test('after kill -9 what was under way is over, and what waited runs', async () => {
  const path = join(dir, 'killed.sqlite')
  const marks = [join(dir, 'once-a'), join(dir, 'once-b')]
  const [first, second] = marks.map((mark) => order(`echo x >> ${mark}; sleep 3`))
  if (!first || !second) throw new Error('two orders')
  const settings: ProcessSettings = {
    store: path,
    port,
    parallel: 1, // so that the second waits
    privateKey: key.privateKey,
    host: { ip: IP, hostKeys: [hostKey] },
    orders: [first, second],
  }
  await writeFile(join(dir, 'settings.json'), JSON.stringify(settings))
  const script = fileURLToPath(new URL('ssh-runner-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, join(dir, 'settings.json')], { stdio: 'ignore' })
  await vi.waitFor(() => readFile(marks[0] ?? ''), { timeout: 20_000, interval: 20 })
  const gone = new Promise((done) => child.once('exit', done))
  child.kill('SIGKILL')
  await gone

  await runner.stop()
  store.close()
  store = openStore(path)
  outbox = createOutbox(store.db, { clock: systemClock, newId })
  runner = makeRunner(port)
  await runner.start()
  expect(await finished(first.run)).toMatchObject({
    exitCode: null,
    error: 'the appliance restarted while this ran; the script may have run in part',
  })
  expect(await finished(second.run)).toMatchObject({ exitCode: 0, error: undefined })
  for (const mark of marks) expect(await readFile(mark, 'utf8')).toBe('x\n')
})
