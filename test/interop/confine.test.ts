import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BUILD_UID, BuildError, type Confined, runConfined } from '@bridgehead/manager/builders/confine/confine.ts'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canConfine } from '../lab/confinement.ts'

const directory = mkdtempSync(join(tmpdir(), 'bh-confine-'))
const root = process.getuid?.() === 0
const confined = await canConfine()
const ORDINARY_UID = 65_534
const driver = join(directory, 'driver.mjs')
const LIMITS = { seconds: 30, memoryMiB: 256, processes: 40, outputMiB: 40 }

beforeAll(async () => {
  chmodSync(directory, 0o755)
  // One file that any user may read, wherever this checkout lies.
  await build({
    entryPoints: [join(import.meta.dirname, 'confine-process.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: driver,
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('/')" },
    logLevel: 'error',
  })
})
afterAll(() => rmSync(directory, { recursive: true }))

let made = 0
const newDirectory = () => {
  const path = join(directory, `private-${made++}`, 'tree') // its parent is closed to everybody else
  mkdirSync(path, { recursive: true })
  chmodSync(dirname(path), 0o700)
  return path
}

async function run(script: string, more: Partial<Confined> = {}) {
  const lines: string[] = []
  const tree = newDirectory()
  const plan = {
    argv: ['sh', '-c', script],
    cwd: '/build',
    readOnly: [],
    writable: [{ from: tree, to: '/build' }],
    env: {},
    limits: LIMITS,
  }
  const signal = new AbortController().signal
  const error = await runConfined({ ...plan, signal, onLine: (line) => void lines.push(line), ...more } as Confined).then(
    () => undefined,
    (thrown: unknown) => thrown as BuildError,
  )
  if (error && !(error instanceof BuildError)) throw error
  return { lines, error, tree }
}

describe.runIf(confined)('what a build can reach', () => {
  for (const { what, script, says } of [
    { what: 'no network, only a loopback of its own', script: 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "', says: ['lo'] },
    { what: 'no route to anywhere', script: 'cat /proc/net/route | wc -l', says: ['1'] },
    { what: 'no other process', script: 'ls /proc | grep -c "^[0-9]*$"', says: [expect.stringMatching(/^[2-6]$/)] },
    { what: 'no home, no /root, no /var', script: 'ls -d /home /root /var /etc/shadow 2>/dev/null; echo none', says: ['none'] },
    { what: 'no writable system', script: 'touch /usr/x /bin/x /etc/x 2>&1 | grep -c Read-only', says: ['2'] },
    { what: 'no capability', script: 'grep CapEff /proc/self/status | cut -f2', says: ['0000000000000000'] },
    { what: 'no way to more rights', script: 'grep NoNewPrivs /proc/self/status | cut -f2', says: ['1'] },
    { what: 'no further user namespace', script: 'unshare --user true 2>/dev/null || echo refused', says: ['refused'] },
    { what: 'no environment but its own', script: 'env | cut -d= -f1 | sort | tr "\\n" " "', says: ['HOME LC_ALL PATH PWD TZ '] },
    { what: 'the same name and user everywhere', script: 'hostname; id -u', says: ['build', '1000'] },
    { what: 'an empty /tmp', script: 'ls -A /tmp; echo a > /tmp/a && cat /tmp/a', says: ['a'] },
  ])
    test(what, async () => {
      const { lines, error } = await run(script)
      expect(error).toBeUndefined()
      expect(lines).toEqual(says)
    })

  test('a read-only binding stays as it is', async () => {
    const source = newDirectory()
    writeFileSync(join(source, 'a.c'), 'int a;\n')
    const { lines } = await run('cat /source/a.c; echo b > /source/a.c', { readOnly: [{ from: source, to: '/source' }] })
    expect(lines).toEqual(['int a;', expect.stringContaining('Read-only file system')])
  })

  test.runIf(root)('what it writes belongs to a user without account, although root runs it', async () => {
    const { tree } = await run('echo x > made')
    expect(statSync(join(tree, 'made')).uid).toBe(BUILD_UID)
  })
})

describe.runIf(confined)('each limit has its own error', () => {
  for (const { limit, script, limits, reason, says } of [
    { limit: 'time', script: 'sleep 60', limits: { seconds: 1 }, reason: 'time', says: 'longer than 1 s' },
    {
      limit: 'memory of one process',
      script: 'perl -e \'$x = "a" x 400000000\'',
      limits: {},
      reason: 'memory',
      says: 'used up its memory: Out of memory',
    },
    {
      limit: 'memory of all together',
      script: 'for i in 1 2 3 4; do perl -e \'$x = "a" x 70000000; sleep 30\' & done; wait',
      limits: {},
      reason: 'memory',
      says: 'more than 256 MiB',
    },
    { limit: 'processes', script: 'for i in $(seq 60); do sleep 30 & done; wait', limits: {}, reason: 'processes', says: /processes/ },
    { limit: 'one large file', script: 'head -c 100M /dev/zero > big', limits: {}, reason: 'output', says: 'a file of more than 40 MiB' },
    {
      limit: 'many files',
      script: 'for i in 1 2 3; do head -c 20M /dev/zero > big$i; done; sleep 20',
      limits: {},
      reason: 'output',
      says: 'more than 40 MiB',
    },
    { limit: 'a log without end', script: 'yes "$(head -c 10000 /dev/zero | tr "\\0" y)"', limits: {}, reason: 'output', says: 'log grew' },
  ])
    test(limit, async () => {
      const { error } = await run(script, { limits: { ...LIMITS, ...limits } })
      expect(error?.message).toMatch(says)
      expect(error?.reason).toBe(reason)
    })

  test('a failed command tells the first error, not the last', async () => {
    const { error } = await run('echo "a.c:3:1: error: first" >&2; echo "b.c:1:1: error: second"; echo "make: *** [all] Error 2"; exit 2')
    expect(error).toMatchObject({ reason: 'exit', message: 'a.c:3:1: error: first' })
    expect(error?.lines).toHaveLength(3)
  })

  test('a command that is not there', async () => {
    const { error } = await run('nosuchcompiler -c a.c')
    expect(error).toMatchObject({ reason: 'exit', message: expect.stringContaining('nosuchcompiler: not found') })
  })
})

/** Processes whose command line holds `mark`. */
const running = (mark: string) =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
      throw error
    }
  })
/** Leaves children in the background and in sessions of their own, and ignores polite signals. */
const stubborn = (mark: string) =>
  `trap "" TERM INT HUP; sleep ${mark} & setsid sleep ${mark} & (setsid sh -c "trap '' TERM; sleep ${mark}" &) ; echo started; wait`

describe.runIf(confined)('nothing is left', () => {
  test('by a command that ends and leaves others in the background', async () => {
    const { error } = await run('sleep 71001 & setsid sleep 71001 & echo done')
    expect(error).toBeUndefined()
    expect(running('71001')).toEqual([])
  })

  test('when it is cancelled, by the time the caller hears of it', async () => {
    const stop = new AbortController()
    const { error } = await run(stubborn('71002'), {
      signal: stop.signal,
      onLine: (line) => {
        if (line === 'started') stop.abort(new Error('enough'))
      },
    })
    expect(error).toMatchObject({ reason: 'cancelled' })
    expect(running('71002')).toEqual([])
  })

  test('when it was cancelled before it began', async () => {
    const { error } = await run('sleep 71003', { signal: AbortSignal.abort() })
    expect(error).toMatchObject({ reason: 'cancelled' })
    expect(running('71003')).toEqual([])
  })

  test('when a listener throws', async () => {
    const failing = { onLine: () => Promise.reject(new Error('disk full')) }
    await expect(run(stubborn('71004'), failing)).rejects.toThrow('disk full')
    expect(running('71004')).toEqual([])
  })

  for (const who of root ? (['root', 'an ordinary user'] as const) : (['an ordinary user'] as const))
    test(`20 times, when the process of ${who} that runs it is killed at any moment`, async () => {
      const uid = root && who !== 'root' ? ORDINARY_UID : undefined
      for (let round = 0; round < 20; round++) {
        const mark = String(72_000 + round + (uid === undefined ? 0 : 100))
        const { child, heard } = drive(stubborn(mark), uid)
        // From before the sandbox stands until the build runs.
        if (round < 12) await sleep(40 + round * 20)
        else await heard('started')
        child.kill('SIGKILL')
        await expect.poll(() => running(mark), { timeout: 5_000, interval: 20 }).toEqual([])
      }
    })
})

test.runIf(root && confined)('an ordinary user is confined in the same way', async () => {
  const { said, ended } = drive('id -u; touch /usr/x; tail -n +3 /proc/net/dev | cut -d: -f1; exit 3', ORDINARY_UID)
  await ended
  const lines = said().flatMap((one) => one.line ?? [])
  expect(lines.map((line) => line.trim())).toEqual(['1000', expect.stringContaining('Read-only file system'), 'lo'])
  expect(said().at(-1)).toMatchObject({ reason: 'exit' })
})

describe('where builds cannot be confined, none runs', () => {
  test('without bubblewrap the error says what to install', async () => {
    const { said, ended } = drive('echo ran', undefined, { PATH: '/nosuch' })
    await ended
    expect(said()).toEqual([{ reason: 'tools', message: expect.stringMatching(/cannot confine builds: .*apt-get install bubblewrap/) }])
  })

  if (!confined)
    test('on this machine, the error says why', async () => {
      const { error } = await run('true')
      expect([error?.reason, error?.message]).toEqual(['tools', expect.stringContaining('this machine cannot confine builds')])
    })

  test.runIf(confined)('without user namespaces the error says what is needed', async () => {
    const none = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    const { said, ended } = drive('echo ran', undefined, {}, ['unshare', '--user', '--map-root-user', 'sh', '-ec', none, 'sh'])
    await ended
    expect(said()).toEqual([{ reason: 'tools', message: expect.stringMatching(/cannot confine builds: \S.*user\.max_user_namespaces/) }])
  })
})

function drive(script: string, uid: number | undefined, env: Record<string, string> = {}, wrapper: readonly string[] = []) {
  const tree = newDirectory()
  if (uid !== undefined) for (const path of [dirname(tree), tree]) chownSync(path, uid, uid)
  const plan = {
    argv: ['sh', '-c', script],
    cwd: '/build',
    readOnly: [],
    writable: [{ from: tree, to: '/build' }],
    env: {},
    limits: LIMITS,
  }
  const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
  const [command = '', ...rest] = [...wrapper, ...user, process.execPath, driver, JSON.stringify(plan)]
  const child: ChildProcess = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/', env: { ...process.env, ...env } })
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const said = () =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { line?: string; reason?: string; message?: string })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const heard = async (line: string) => {
    await expect.poll(() => said().some((one) => one.line === line), { timeout: 10_000, interval: 10 }).toBe(true)
  }
  return { child, said, ended, heard }
}
