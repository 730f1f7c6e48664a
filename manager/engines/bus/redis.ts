import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Redis, RedisOptions } from 'ioredis'

export interface RedisServer extends Service {
  /** Where our own server listens; absent with `url`. */
  readonly socketPath?: string | undefined
  /** A new connection with full rights, over the unix socket. The caller ends it with `disconnect()`. Only after `start`. */
  connect(options?: RedisOptions): Redis
  /** Called each time the server is there again after it was lost (and perhaps emptied): re-create users and states. Returns the end of it. */
  onRestart(listener: () => void | Promise<void>): () => void
  /** Creates or replaces `site-<id>`, with just what an appliance needs. `secretSha256` is 64 hexadecimal digits. */
  setSiteUser(site: string, secretSha256: string): Promise<void>
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

export declare function createRedis(options: RedisServerOptions): RedisServer
