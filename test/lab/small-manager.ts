import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import { createRedis } from '@bridgehead/manager/engines/bus/redis.ts'
import { createSiteBus } from '@bridgehead/manager/engines/bus/site-bus.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'

/** The least of a manager that an appliance works with: enrolment, Redis, signed states. Its parts can be taken away and come back. */
export interface SmallManager {
  readonly url: string
  readonly site: string
  readonly key: PrivateKey
  /** What the site told, by id. */
  readonly events: ReadonlyMap<string, { kind: string; data: Record<string, unknown> }>
  enrolments(): number
  /** A state with one LAN, `lan`. */
  publish(revision: number, lan?: Readonly<Record<string, unknown>>): Promise<void>
  /** Redis goes; `startRedis` brings it back as it was after a start from nothing. */
  stopRedis(): Promise<void>
  startRedis(): Promise<void>
  stop(): Promise<void>
}

const SECRET = 'secret-of-this-site'
/** Modes other than serve need no address of their own, so that loopback will do. */
const LOOPBACK_LAN = { name: 'lan', subnet: '127.0.0.0/8', address: '127.0.0.1', mode: 'observe' }

/** `freePort` is asked twice. */
export async function startSmallManager(directory: string, freePort: () => Promise<number>): Promise<SmallManager> {
  const log = silentLog
  const clock = systemClock
  const key = createSigningKey()
  const { d: _, ...publicKey } = key
  const site = newId()
  const redisPort = await freePort()
  const redis = createRedis({ directory, port: redisPort, bind: ['127.0.0.1'], log, clock })
  const startRedis = async () => {
    await redis.start()
    await redis.setSiteUser(site, createHash('sha256').update(SECRET).digest('hex'))
  }
  await startRedis()
  const bus = createSiteBus({ redis, log, clock })
  await bus.start()
  const events = new Map<string, { kind: string; data: Record<string, unknown> }>()
  const consumer = bus.consumeEvents(async (_site, entries) => {
    for (const { event } of entries) {
      const parsed = JSON.parse(event) as { id: string; kind: string; data: Record<string, unknown> }
      events.set(parsed.id, parsed)
    }
  })
  consumer.watch(site)
  await consumer.start()

  let enrolments = 0
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => {
      text += part
    })
    request.on('end', () => {
      EnrolRequest.parse(JSON.parse(text))
      enrolments++
      const answer = {
        site,
        name: 'test',
        managerKeys: [publicKey],
        redis: { host: '127.0.0.1', port: redisPort, username: `site-${site}` },
        artifacts: `${url}/artifacts`,
        secret: SECRET,
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))

  return {
    ...{ url, site, key, events },
    enrolments: () => enrolments,
    async publish(revision, lan = LOOPBACK_LAN) {
      const empty = { tags: {}, hosts: [], rules: [], profiles: [], scripts: [], keys: [], dns: {} }
      const state = { protocol: 1, site, name: 'test', revision, at: clock.now(), ...empty, lans: [lan] }
      await bus.publishState(site, await signDocument('state', state, key), revision)
    },
    stopRedis: () => redis.stop(),
    startRedis,
    async stop() {
      server.close()
      await consumer.stop()
      await bus.stop()
      await redis.stop()
    },
  }
}
