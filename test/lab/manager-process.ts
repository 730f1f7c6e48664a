import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Api, createApi, setUp } from './api.ts'
import { type Exposed, expose } from './expose.ts'
import type { Lab } from './lab.ts'
import type { Running } from './processes.ts'
import { INTERNET } from './site.ts'
import { waitFor } from './wait.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The manager of a lab, in its namespace, with everything it keeps below the lab's directory (but the bucket, which outlives labs). */
export interface ManagerProcess {
  /** Console and API on this machine's loopback; the same port across restarts. */
  readonly url: string
  readonly data: string
  readonly logFile: string
  readonly pid: number
  start(): Promise<void>
  /** Goes through the set-up link. */
  setUp(): Promise<Api>
  /** kill -9 of the manager and of the Redis that it started. */
  crash(): Promise<void>
}

export async function createManager(lab: Lab, { bucket }: { bucket: string }): Promise<ManagerProcess> {
  const data = join(lab.directory, 'manager')
  const logFile = join(lab.directory, 'manager.log')
  const exposed: Exposed = await expose(lab.manager, lab.directory, { host: '127.0.0.1', port: HTTP_PORT })
  const url = `http://127.0.0.1:${exposed.port}`
  const env = {
    BRIDGEHEAD_DATA: data,
    BRIDGEHEAD_BUCKET: bucket,
    BRIDGEHEAD_HTTP: `127.0.0.1:${HTTP_PORT}`,
    BRIDGEHEAD_PUBLIC_URL: `https://${INTERNET.manager}:8443`,
    BRIDGEHEAD_OVERLAY_INTERFACE: lab.tunnel('m'),
  }
  let running: Running | undefined
  const details = () => `its log is ${logFile}:\n${lastLines(logFile, 6)}`
  return {
    url,
    data,
    logFile,
    get pid() {
      return running?.pid ?? 0
    },
    async start() {
      const started = lab.manager.spawn(
        'manager',
        [process.execPath, '--disable-warning=ExperimentalWarning', join(ROOT, 'manager/main.ts')],
        {
          cwd: ROOT,
          env,
          logFile,
        },
      )
      running = started
      await waitFor('the manager to answer', () => healthy(url, started), { ms: 60_000, details })
    },
    async setUp() {
      const file = join(data, 'setup-link')
      const link = await waitFor('the set-up link', () => (existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined), { details })
      return createApi({ url, key: await setUp(url, new URL(link).searchParams.get('token') ?? '') })
    },
    async crash() {
      const pids = await lab.manager.exec(['ip', 'netns', 'pids', lab.manager.namespace])
      const redis = pids.stdout
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0 && /^(redis|valkey)-server/.test(commandOf(pid)))
      for (const pid of [running?.pid ?? 0, ...redis]) if (pid > 0) process.kill(pid, 'SIGKILL')
      await running?.gone
    },
  }
}

const HTTP_PORT = 8420

async function healthy(url: string, running: Running): Promise<true | undefined> {
  if (!running.alive)
    throw new Error(`the manager ended (${await running.gone}); its log is ${running.logFile}:\n${lastLines(running.logFile, 6)}`)
  const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
  return answer?.ok ? true : undefined
}

function commandOf(pid: number): string {
  const file = `/proc/${pid}/comm`
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** The end of a log, for an error message; empty when there is none yet. */
export function lastLines(file: string | undefined, count: number): string {
  if (file === undefined || !existsSync(file)) return ''
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
}
