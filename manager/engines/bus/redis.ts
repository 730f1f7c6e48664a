import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { randomSecret, secretFile } from '@bridgehead/shared/secret-file.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { type Supervisor, supervise } from '@bridgehead/shared/supervise.ts'
import type { Redis } from 'ioredis'
import { type ConnectOptions, type Opener, opener, waitReady } from './connection.ts'
import { ADMIN, filesIn, launchServer } from './server-process.ts'
import { siteUserName, siteUserRules } from './site-user.ts'
import { workerUserRules } from './worker-user.ts'

export interface RedisServer extends Service {
  /** Where our own server listens; absent with `url`. */
  readonly socketPath?: string | undefined
  /** A new connection with full rights, over the unix socket. The caller ends it with `disconnect()`. Only after `start`. */
  connect(options?: ConnectOptions): Redis
  /** Called each time the server is there again after it was lost (and perhaps emptied): re-create users and states. Returns the end of it. */
  onRestart(listener: () => void | Promise<void>): () => void
  /** Creates or replaces `site-<id>`, with just what an appliance needs. `secretSha256` is 64 hexadecimal digits. */
  setSiteUser(site: string, secretSha256: string): Promise<void>
  /** Creates or replaces the user `worker`, who may do what a worker needs on the keys of these patterns. */
  setWorkerUser(secretSha256: string, keys: readonly string[]): Promise<void>
  /** Deletes the user and ends its connections. */
  deleteSiteUser(site: string): Promise<void>
}

export interface RedisServerOptions {
  /** Data, socket, password and pid file live here. */
  directory: string
  port: number
  /** IP addresses to listen on besides the unix socket. */
  bind: readonly string[]
  log: Log
  clock: Clock
  /** Use this server instead (redis:// or rediss://); then nothing is started. */
  url?: string | undefined
}

/** Our own server may have a long file to read first. */
const START_MS = 60_000
const FOREIGN_MS = 8_000

export function createRedis({ directory, port, bind, log, clock, url }: RedisServerOptions): RedisServer {
  const files = filesIn(directory)
  const listeners = new Set<() => void | Promise<void>>()
  let open: Opener | undefined
  let supervisor: Supervisor | undefined
  let admin: Redis | undefined
  let knowsSetInfo = false

  const opened = (): Opener => {
    if (!open) throw new Error('Redis was asked for a connection before it was started')
    return open
  }
  const adminConnection = (): Redis => {
    if (!admin) throw new Error('Redis was used before it was started')
    return admin
  }

  const timeoutMs = url === undefined ? START_MS : FOREIGN_MS

  async function ready(signal?: AbortSignal): Promise<void> {
    const probe = opened()({ lazyConnect: true })
    try {
      await waitReady(probe, { timeoutMs, signal })
    } finally {
      probe.disconnect()
    }
  }

  async function learn(redis: Redis): Promise<void> {
    const version = /(?:valkey|redis)_version:(\d+)\./.exec(await redis.info('server'))?.[1]
    if (Number(version) < 7) throw new Error(`expected Redis 7.0 or newer, or Valkey; the server says ${version}`)
    knowsSetInfo = ((await redis.call('COMMAND', 'INFO', 'client|setinfo')) as unknown[])[0] != null
  }

  /** Runs at each reconnection of the admin connection: our own server was restarted, or a foreign one came back. */
  async function tell(redis: Redis): Promise<void> {
    log.info('redis.restarted')
    try {
      await learn(redis)
      for (const listener of listeners) await listener()
    } catch (error) {
      log.error('redis.restore_failed', { error })
      clock.after(5_000, () => {
        if (redis === admin && redis.status === 'ready') void tell(redis)
      })
    }
  }

  return {
    name: 'redis',
    socketPath: url === undefined ? files.socket : undefined,
    async start() {
      if (url === undefined) {
        const password = await secretFile(files.password, randomSecret)
        open = opener({ path: files.socket, username: ADMIN, password }, log)
        supervisor = supervise({
          name: 'redis',
          launch: () => launchServer({ directory, files, port, bind, password, ready, log, clock }),
          log,
          clock,
        })
        await supervisor.start()
      } else {
        open = opener(url, log)
        await ready()
      }
      const redis = opened()({ lazyConnect: true, maxRetriesPerRequest: 5 })
      admin = redis
      await waitReady(redis, { timeoutMs })
      await learn(redis)
      redis.on('ready', () => void tell(redis))
    },
    async stop() {
      admin?.disconnect()
      admin = undefined
      await supervisor?.stop()
      supervisor = undefined
      open = undefined
    },
    connect: (options) => opened()(options),
    onRestart(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async setSiteUser(site, secretSha256) {
      await adminConnection().call('ACL', 'SETUSER', ...siteUserRules(site, secretSha256, { clientSetInfo: knowsSetInfo }))
    },
    async setWorkerUser(secretSha256, keys) {
      await adminConnection().call('ACL', 'SETUSER', ...workerUserRules(secretSha256, { keys, clientSetInfo: knowsSetInfo }))
    },
    async deleteSiteUser(site) {
      await adminConnection().call('ACL', 'DELUSER', siteUserName(site))
    },
  }
}
