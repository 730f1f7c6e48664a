import { COMMAND_GROUP, siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import { Redis, type RedisOptions } from 'ioredis'
import type { Bus, BusCommand, ConnectBus } from './bus.ts'

export interface RedisTarget {
  site: string
  host: string
  port: number
  username: string
  password: string
}

const COMMANDS_AT_ONCE = 50
/** Short, so that a new SYN follows soon once the overlay stands again: TCP itself repeats a lost one after 1, 3 and 7 s. */
const CONNECT_MS = 5_000

/**
 * Two connections: `reader` blocks for orders, `writer` does all else (RESP3 lets it subscribe, too). ioredis' own reconnecting,
 * queueing and resending are all off: a blocking read that it re-queues after a reconnect may never settle
 * (taskforcesh/bullmq#4484), and a queue in memory would be a second outbox. The link opens a new session instead.
 */
export const redisBus =
  (target: RedisTarget): ConnectBus =>
  async (signal) => {
    const keys = siteKeys(target.site)
    const writer = new Redis(options(target, 'uplink-writer'))
    const reader = new Redis(options(target, 'uplink-reader'))
    const close = () => {
      writer.disconnect()
      reader.disconnect()
    }
    const failure = firstError([writer, reader])
    signal.addEventListener('abort', close, { once: true })
    try {
      await Promise.all([writer.connect(), reader.connect()])
    } catch (cause) {
      close()
      // "Connection is closed." alone tells an operator nothing; the error event before it says why.
      throw failure() ?? cause
    } finally {
      signal.removeEventListener('abort', close)
    }
    return createBus({ keys, writer, reader, close })
  }

function options(target: RedisTarget, name: string) {
  return {
    host: target.host,
    port: target.port,
    username: target.username,
    password: target.password,
    connectionName: `${target.site}:${name}`,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false, // it asks INFO, which a site's user may not
    disableClientInfo: true,
    keepAlive: 10_000,
    // Without it a blocking read on a dead socket never settles. The grace lies above the link's own limit, which throws the
    // connection away: by itself ioredis would answer `null`, as if the line were only quiet.
    blockingTimeout: 30_000,
    blockingTimeoutGrace: 20_000,
  } satisfies RedisOptions
}

/** ioredis tells the true reason (WRONGPASS, ECONNREFUSED) by an event; without a listener it writes to the console. */
function firstError(clients: readonly Redis[]): () => Error | undefined {
  let first: Error | undefined
  for (const client of clients)
    client.on('error', (error: Error) => {
      first ??= error
    })
  return () => first
}

type Entry = [id: string, fields: string[] | null]

function createBus({
  keys,
  writer,
  reader,
  close,
}: {
  keys: ReturnType<typeof siteKeys>
  writer: Redis
  reader: Redis
  close: () => void
}): Bus {
  const read = async (which: 'pending' | 'new', blockMs: number): Promise<BusCommand[]> => {
    const from = which === 'new' ? '>' : '0'
    const reply =
      which === 'new'
        ? await reader.xreadgroup(
            'GROUP',
            COMMAND_GROUP,
            COMMAND_GROUP,
            'COUNT',
            COMMANDS_AT_ONCE,
            'BLOCK',
            blockMs,
            'STREAMS',
            keys.commands,
            from,
          )
        : await reader.xreadgroup('GROUP', COMMAND_GROUP, COMMAND_GROUP, 'COUNT', COMMANDS_AT_ONCE, 'STREAMS', keys.commands, from)
    const streams = (reply ?? []) as [string, Entry[]][]
    return streams.flatMap(([, entries]) => entries.map(([entry, fields]) => ({ entry, jws: fieldOf(fields, 'jws') })))
  }

  return {
    readState: async () => (await writer.get(keys.state)) ?? undefined,
    async onNudge(listener) {
      writer.on('message', listener)
      await writer.subscribe(keys.nudge)
    },
    async sendEvents(events) {
      const pipeline = writer.pipeline()
      for (const event of events) pipeline.xadd(keys.events, '*', 'event', event)
      rejectFirst(await pipeline.exec())
    },
    async sendPresence(json, expireSeconds) {
      await writer.set(keys.presence, json, 'EX', expireSeconds)
    },
    async readCommands(which, blockMs) {
      try {
        return { commands: await read(which, blockMs), lost: false }
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOGROUP'))) throw error
      }
      // From 0, not $: orders that were added before the group was made count too. Those carried out already are remembered.
      await writer.xgroup('CREATE', keys.commands, COMMAND_GROUP, '0', 'MKSTREAM')
      return { commands: [], lost: true }
    },
    async settleCommands(entries) {
      const pipeline = writer.pipeline()
      pipeline.xack(keys.commands, COMMAND_GROUP, ...entries)
      pipeline.xdel(keys.commands, ...entries) // XACK alone lets the stream grow without end (redis/redis#6941)
      rejectFirst(await pipeline.exec())
    },
    close,
  }
}

function fieldOf(fields: string[] | null, name: string): string | undefined {
  const at = fields?.indexOf(name) ?? -1
  return at % 2 === 0 ? fields?.[at + 1] : undefined
}

function rejectFirst(results: [error: Error | null, result: unknown][] | null): void {
  if (results === null) throw new Error('the pipeline was dropped')
  for (const [error] of results) if (error) throw error
}
