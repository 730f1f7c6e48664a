import { type ChildProcess, spawn } from 'node:child_process'
import { lstat, readlink } from 'node:fs/promises'
import { constants } from 'node:os'
import type { Duplex, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { type ExecaError, execa } from 'execa'
import { asBuildUser, type Binding, BUILD_UID, bubblewrapArguments, type Limits, type SystemPath } from './bubblewrap.ts'
import { BuildError } from './error.ts'
import { createErrorWatch } from './first-error.ts'
import { splitLines } from './lines.ts'
import { childrenOf, readFamily, readProcess } from './processes.ts'

export { type Binding, BUILD_UID, type Limits } from './bubblewrap.ts'
export { BuildError } from './error.ts'

/** One command of a build. */
export interface Confined {
  argv: [string, ...string[]]
  /** In the sandbox. */
  cwd: string
  /** Anybody may read them (the build user is a stranger); the directories above may be closed. */
  readOnly: Binding[]
  /** Directories; they and what is in them come to belong to the build user. */
  writable: Binding[]
  env: Record<string, string>
  limits: Limits
  signal: AbortSignal
  /** Both outputs in the order in which they came, without control characters; a slow listener slows the build. */
  onLine(line: string): void | Promise<void>
  clock?: Clock
}

const SAMPLE_MS = 500
const DISK_SAMPLE_MS = 5_000

/**
 * Runs a command in a bubblewrap sandbox: no network, a read-only system, an unprivileged user (also when the manager is root), an empty
 * /tmp, and limits. Once it has settled, no process of it is left; nor is after `kill -9` of this process. Throws BuildError; never runs
 * anything unconfined.
 */
export async function runConfined(what: Confined): Promise<{ seconds: number }> {
  const { limits, signal, clock = systemClock } = what
  if (signal.aborted) throw cancelled(signal)
  const root = process.getuid?.() === 0
  if (root) await giveToBuildUser(what.writable.map(({ from }) => from))
  const plan = { ...what, system: await systemPaths() }
  const argv = root ? asBuildUser(plan) : bubblewrapArguments(plan)
  const started = clock.now()
  const watch = createErrorWatch()
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    cwd: '/',
    detached: true, // a terminal's Ctrl-C is for the manager, which ends its builds itself
  })
  const sandbox = attend(child)

  let stopped: BuildError | undefined
  const stop = (reason: ConstructorParameters<typeof BuildError>[0], message: string, cause?: unknown) => {
    if (stopped) return
    stopped = new BuildError(reason, message, { lines: watch.lines, cause })
    sandbox.kill()
  }
  const onAbort = () => stop('cancelled', 'the build was cancelled', signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const cancelTimer = clock.after(limits.seconds * 1000, () =>
    stop('time', `the build took longer than ${limits.seconds} s and was stopped`),
  )
  const ended = new AbortController()
  const guard = guardLimits({ what, pid: child.pid, clock, stop, ended: ended.signal })
  try {
    let heard = 0
    const listening = splitLines(sandbox.output, async (line, bytes) => {
      heard += bytes
      if (heard > limits.outputMiB * 1_048_576) return stop('output', `the build's log grew beyond ${limits.outputMiB} MiB`)
      watch.see(line)
      await what.onLine(line)
    }).catch((error: unknown) => {
      sandbox.kill()
      throw error
    })
    const [end] = await Promise.all([sandbox.end, listening.catch((error: unknown) => sandbox.end.then(() => Promise.reject(error)))])
    if (stopped) throw new BuildError(stopped.reason, stopped.message, { lines: watch.lines, cause: stopped.cause })
    if (!end.began) throw cannotConfine(end.said, end.error)
    if (end.code !== 0) {
      const { reason, message } = signalled(end.code, limits) ?? watch.verdict(what.argv[0])
      throw new BuildError(reason, message, { lines: watch.lines })
    }
    return { seconds: (clock.now() - started) / 1000 }
  } finally {
    cancelTimer()
    ended.abort()
    signal.removeEventListener('abort', onAbort)
    await guard
  }
}

/** A command that was killed says nothing itself; its exit code does. */
function signalled(code: number | undefined, limits: Limits): { reason: 'output' | 'memory'; message: string } | undefined {
  if (code === 128 + constants.signals.SIGXFSZ)
    return { reason: 'output', message: `the build wrote a file of more than ${limits.outputMiB} MiB` }
  if (code === 128 + constants.signals.SIGKILL)
    return { reason: 'memory', message: 'the build was killed by this machine, most likely for want of memory' }
  return undefined
}

interface Sandbox {
  readonly output: Readable
  /** Ends all that runs in it. */
  kill(): void
  /** Resolves once nothing of it runs. `began`: the sandbox stood and the command was started. */
  readonly end: Promise<{ began: boolean; code: number | undefined; said: string; error?: Error | undefined }>
}

function attend(child: ChildProcess): Sandbox {
  const [, output, said, talk, lifeline] = child.stdio as [null, Readable, Readable, Duplex, Duplex]
  const state = { began: false, killed: false, init: undefined as number | undefined, said: '' }
  const kill = () => {
    state.killed = true
    talk.destroy() // without an answer it never begins
    lifeline.destroy() // if it has begun, it ends now
  }
  talk.setEncoding('utf8').once('data', async () => {
    state.init = await findInit(child.pid)
    if (state.killed) return
    state.began = true
    lifeline.write('go\n')
    talk.write('go\n')
  })
  for (const stream of [talk, lifeline, output, said]) stream.on('error', () => undefined) // the process has ended: `end` tells
  said.setEncoding('utf8').on('data', (text: string) => {
    state.said = (state.said + text).slice(0, 4_096)
  })
  const end = new Promise<{ code: number | undefined; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: undefined, error })) // could not be started at all
    child.once('exit', (code) => resolve({ code: code ?? undefined }))
  }).then(async ({ code, error }) => {
    if (error) output.destroy()
    // A command may end and leave others behind it; init is killed with its parent, and takes them along.
    if (state.init !== undefined) await gone(state.init)
    if (!error) await finished(said).catch(() => undefined) // cut off is as good as ended
    for (const stream of [talk, lifeline]) stream.destroy()
    return { began: state.began, code, said: state.said, error }
  })
  return { output, end, kill }
}

/** launcher -> bubblewrap -> its init, which is process 1 of the sandbox: where that is gone, so is all the rest. */
async function findInit(launcher: number | undefined): Promise<number | undefined> {
  for (const outer of await childrenOf(launcher ?? 0)) for (const init of await childrenOf(outer)) return init
  return undefined
}

async function gone(pid: number): Promise<void> {
  const first = await readProcess(pid)
  for (let now = first; now && now.startedAt === first?.startedAt && now.state !== 'Z' && now.state !== 'X'; now = await readProcess(pid))
    await systemClock.sleep(5)
}

interface Guard {
  what: Confined
  pid: number | undefined
  clock: Clock
  stop(reason: 'memory' | 'output' | 'processes', message: string): void
  ended: AbortSignal
}

/** Looks now and then at what all processes use together; what one process may use, the kernel sees to. */
async function guardLimits({ what, pid, clock, stop, ended }: Guard): Promise<void> {
  const { memoryMiB, processes, outputMiB } = what.limits
  if (pid === undefined) return
  const before = await diskMiB(what.writable)
  let nextDisk = clock.now() + DISK_SAMPLE_MS
  while (!ended.aborted) {
    await clock.sleep(SAMPLE_MS, ended)
    if (ended.aborted) return
    const inside = (await readFamily(pid)).slice(4) // without what stands around it: shell, watcher, bubblewrap and its init
    const used = inside.reduce((sum, one) => sum + one.residentBytes, 0) / 1_048_576
    if (used > memoryMiB) stop('memory', `the build used more than ${memoryMiB} MiB of memory and was stopped`)
    if (inside.length >= processes) stop('processes', `the build started more than ${processes} processes and was stopped`)
    if (clock.now() < nextDisk) continue
    const written = (await diskMiB(what.writable)) - before
    if (written > outputMiB) stop('output', `the build wrote more than ${outputMiB} MiB and was stopped`)
    nextDisk = clock.now() + DISK_SAMPLE_MS
  }
}

async function diskMiB(bindings: readonly Binding[]): Promise<number> {
  if (bindings.length === 0) return 0
  // Files that come and go meanwhile make `du` complain; it counts the rest.
  const { stdout } = await execa('du', ['-sxm', '--', ...bindings.map(({ from }) => from)], { reject: false, stdin: 'ignore' })
  return stdout.split('\n').reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0)
}

async function giveToBuildUser(directories: readonly string[]): Promise<void> {
  if (directories.length === 0) return
  await execa('chown', ['-RhP', `${BUILD_UID}:${BUILD_UID}`, '--', ...directories], { stdin: 'ignore' }).catch((cause: ExecaError) => {
    throw cannotConfine(String(cause.stderr ?? ''), cause)
  })
}

/** What a compiler needs of the system, and no more: no /home, /root, /var, and of /etc only what programs are found by. */
const SYSTEM = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
]
async function systemPaths(): Promise<SystemPath[]> {
  const found = await Promise.all(
    SYSTEM.map(async (path): Promise<SystemPath[]> => {
      const is = await lstat(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)))
      if (!is) return []
      return [is.isSymbolicLink() ? { path, link: await readlink(path) } : { path }]
    }),
  )
  return found.flat()
}

function cancelled(signal: AbortSignal): BuildError {
  return new BuildError('cancelled', 'the build was cancelled', { cause: signal.reason })
}

function cannotConfine(said: string, cause: Error | undefined): BuildError {
  const why = said.trim() || (cause?.message ?? 'bubblewrap ended without a word')
  const remedy = /ENOENT|(bwrap|setpriv|prlimit|unshare): not found|No such file/.test(why)
    ? 'Install it: apt-get install bubblewrap util-linux.'
    : 'Builds never run unconfined. Needed are the Debian package bubblewrap 0.8 or newer and user namespaces: sysctl user.max_user_namespaces above 0' +
      ' (on some kernels also kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0); in a container, its' +
      ' runtime must allow user namespaces and mounting /proc (privileged, or seccomp and systempaths unconfined); in a plain chroot they cannot be had.' +
      ' A worker on another machine can build instead.'
  return new BuildError('tools', `this machine cannot confine builds: ${why.split('\n')[0]}. ${remedy}`, { cause, lines: said.split('\n') })
}
