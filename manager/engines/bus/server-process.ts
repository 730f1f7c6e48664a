import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, readlink, realpath, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Running } from '@bridgehead/shared/supervise.ts'
import { execa } from 'execa'

export const ADMIN = 'bridgehead'

export interface ServerFiles {
  config: string
  socket: string
  pid: string
  password: string
}

export function filesIn(directory: string): ServerFiles {
  return {
    config: join(directory, 'redis.conf'),
    socket: join(directory, 'redis.sock'),
    pid: join(directory, 'redis.pid'),
    password: join(directory, 'admin-password'),
  }
}

/**
 * Which program to run. Debian's redis-tools and valkey-tools already hold the server: redis-check-rdb is the same file and acts by the
 * name it is called by (argv0), so the package redis-server, which would start a service of its own, is not needed.
 */
export function findProgram(path: string, exists: (file: string) => boolean): { file: string; argv0: string } | undefined {
  const folders = [...new Set([...path.split(':').filter((folder) => folder !== ''), '/usr/bin'])]
  for (const [name, argv0] of [
    ['redis-server', 'redis-server'],
    ['valkey-server', 'valkey-server'],
    ['redis-check-rdb', 'redis-server'],
    ['valkey-check-rdb', 'valkey-server'],
  ] as const)
    for (const folder of folders) {
      const file = join(folder, name)
      if (exists(file)) return { file, argv0 }
    }
  return undefined
}

/** redis.conf. Only the admin user may do anything; sites get users of their own (ACL SETUSER). */
export function configText(options: {
  directory: string
  files: ServerFiles
  port: number
  bind: readonly string[]
  password: string
  /** Pid of this manager; a server whose parent is still that process is in use. */
  owner: number
}): string {
  const quoted = (text: string) => JSON.stringify(text)
  return [
    `# owner ${options.owner}`,
    'daemonize no',
    `dir ${quoted(options.directory)}`,
    `pidfile ${quoted(options.files.pid)}`,
    `port ${options.port}`,
    `bind ${options.bind.length > 0 ? options.bind.join(' ') : '127.0.0.1'}`,
    `unixsocket ${quoted(options.files.socket)}`,
    'unixsocketperm 600',
    // Nobody can log in as `default`. It keeps its rights, because Redis 7.0 replays the transactions of its appended file in its name:
    // without them it drops every MULTI ... EXEC at a restart ("NOPERM ACLs rules changed") and starts nearly empty.
    'user default off resetpass ~* &* +@all',
    `user ${ADMIN} on #${createHash('sha256').update(options.password).digest('hex')} ~* &* +@all`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'maxclients 20000',
    'tcp-keepalive 60',
    'loglevel notice',
    '',
  ].join('\n')
}

/** Longest path of a unix socket (sockaddr_un holds 108 bytes with the closing zero). */
const SOCKET_PATH_BYTES = 107

/** Starts the server; resolves once `ready` does. */
export async function launchServer(options: {
  directory: string
  files: ServerFiles
  port: number
  bind: readonly string[]
  password: string
  ready: (signal: AbortSignal) => Promise<void>
  log: Log
  clock: Clock
}): Promise<Running> {
  const { files, log } = options
  if (Buffer.byteLength(files.socket) > SOCKET_PATH_BYTES)
    throw new Error(
      `the data directory's path is too long for a unix socket: ${files.socket} (at most ${SOCKET_PATH_BYTES} bytes); choose a shorter BRIDGEHEAD_DATA`,
    )
  const program = findProgram(process.env.PATH ?? '', existsSync)
  if (!program)
    throw new Error(
      'found neither redis-server nor valkey-server; install one: apt-get install redis-tools (or valkey-tools), or set REDIS_URL',
    )
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  const directory = await realpath(options.directory)
  await endStale(directory, files, options)
  await writeFile(files.config, configText({ ...options, directory, owner: process.pid }), { mode: 0o600 })
  await chmod(files.config, 0o600)

  // Its own process group, so that Ctrl-C in a terminal reaches the manager alone, which then ends it in order.
  const child = execa(program.file, [files.config], {
    argv0: program.argv0,
    cwd: directory,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    forceKillAfterDelay: 10_000,
  })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line)
      if (last.length > 5) last.shift()
      log.debug('redis.line', { line })
    })
  const gone = child.then((result) => result.shortMessage ?? `exit code ${result.exitCode}`)
  const end = async () => {
    child.kill('SIGTERM') // the same as SHUTDOWN: appended file to disk, then exit
    await gone
  }
  const ended = new AbortController()
  void gone.then(() => ended.abort())
  try {
    await options.ready(ended.signal)
  } catch (cause) {
    if (ended.signal.aborted) {
      const said = last.join(' | ')
      // Better an empty pipe than none: the next attempt starts anew. The files are kept, as redis-check-aof may mend them.
      if (/Bad file format reading the append only file|Fatal error loading the DB/i.test(said)) {
        const aside = join(directory, `appendonlydir.broken-${options.clock.now()}`)
        await rename(join(directory, 'appendonlydir'), aside)
        log.error('redis.data_set_aside', { path: aside, said })
        return launchServer(options)
      }
      throw new Error(`${program.file} ended at once: ${said}`, { cause })
    }
    await end()
    throw cause
  }
  log.info('redis.started', { program: program.file, pid: child.pid, port: options.port, bind: options.bind })
  return { pid: child.pid, gone, end }
}

/** Ends a server that a killed manager left behind on this directory: it still holds the port and the files. */
async function endStale(directory: string, files: ServerFiles, { log, clock }: { log: Log; clock: Clock }): Promise<void> {
  const pid = Number((await textOf(files.pid)) ?? 'none')
  if (!Number.isInteger(pid) || pid <= 1 || !(await servesDirectory(pid, directory))) return
  const owner = Number(/^# owner (\d+)$/m.exec((await textOf(files.config)) ?? '')?.[1])
  // A manager that was just killed may take a moment to be gone.
  for (let waited = 0; parentOf((await textOf(`/proc/${pid}/stat`)) ?? '') === owner; waited += 100) {
    if (waited >= 2_000)
      throw new Error(`another manager (process ${owner}) uses ${directory}; stop it first or choose another BRIDGEHEAD_DATA`)
    await clock.sleep(100)
  }
  log.warn('redis.stale_ended', { pid })
  for (let waited = 0; (await servesDirectory(pid, directory)) && waited <= 15_000; waited += 50) {
    if (waited === 0 || waited === 10_000) signalProcess(pid, waited === 0 ? 'SIGTERM' : 'SIGKILL')
    await clock.sleep(50)
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error // gone by itself meanwhile
  }
}

/** A pid may have been given to another program since: look at its command line and its working directory. */
async function servesDirectory(pid: number, directory: string): Promise<boolean> {
  const line = await textOf(`/proc/${pid}/cmdline`)
  if (line === undefined || !/(redis|valkey)-server/.test(line)) return false
  return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === directory
}

/** Fourth field of /proc/PID/stat; the second, the name, stands in parentheses and may hold anything. */
function parentOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
