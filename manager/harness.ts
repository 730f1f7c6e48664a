import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { type Clock, steppedClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import type { EventData, EventKind } from '@bridgehead/shared/model/event.ts'
import type { Presence } from '@bridgehead/shared/model/redis-keys.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { type ArtifactRef, PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { registerApplianceJobs } from './appliances/jobs.ts'
import { assemble, type Engines, type Manager } from './assemble.ts'
import type { Auth } from './auth/auth.ts'
import { testBucket } from './engines/bucket/test-bucket.ts'
import { notFound } from './engines/http/problem.ts'
import { type Principal, SCOPES, type Scope } from './engines/http/scope.ts'
import { fakeJobs } from './engines/jobs/fake-jobs.ts'
import { type Db, openStore } from './engines/store/store.ts'

/** For tests: the whole manager in memory. Only the engines that need processes are replaced; they say what they were told. */
export interface Harness {
  manager: Manager
  db: Db
  clock: ReturnType<typeof steppedClock>
  bus: FakeBus
  /** Peers of the overlay's hub, as they were set last. */
  peers(): readonly { publicKey: string; allowedIps: string[] }[]
  signingKey: PrivateKey
  /** Asks the API as somebody; `as` is an organisation with every scope, or a principal. */
  ask(method: string, path: string, body?: unknown, as?: string | Principal | null): Promise<Answer>
  /** A fact as a site sends it. */
  fact<K extends EventKind>(kind: K, data: EventData<K>, host?: string, id?: string): { event: string; id: string }
  close(): Promise<void>
}
// biome-ignore lint/suspicious/noExplicitAny: a test reads answers without a schema
export type Answer = { status: number; body: any; headers: Headers }

export interface FakeBus {
  users: Map<string, string>
  states: Map<string, { jws: string; revision: number }>
  sent: { site: string; jws: string }[]
  watched: Set<string>
  /** What boxes say of themselves, by site. */
  online: Map<string, Presence>
  /** Redis is away: everything that writes to it fails. */
  away: boolean
  /** A wiped Redis. */
  wipe(): void
}

export const key = (): PrivateKey => {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kid: newId(), kty: 'OKP', crv: 'Ed25519', x, d }
}

export const somebody = (organisation: string, scopes: readonly Scope[] = SCOPES): Principal => ({
  organisation,
  actor: { kind: 'key', id: 'k', name: 'test' },
  scopes: new Set(scopes),
})

export async function startHarness(
  options: { now?: number; log?: Log; loaders?: Record<string, ArtifactRef>; db?: Db; engines?: Partial<Engines> } = {},
): Promise<Harness> {
  const clock = steppedClock(options.now ?? 1_795_000_000_000)
  const db = options.db ?? (await openStore(':memory:'))
  const log = options.log ?? silentLog
  const signingKey = key()
  const bus = fakeBus()
  const reach = () => {
    if (bus.away) throw new Error('Redis is away')
  }
  let peers: readonly { publicKey: string; allowedIps: string[] }[] = []
  let current: Principal | undefined
  const manager = assemble({
    db,
    auth: fakeAuth(() => current),
    setup: { prepare: async () => undefined, check: async () => {}, spend: () => Promise.reject(new Error('not here')) },
    signingKeys: [signingKey],
    bus: {
      publishState: async (site, jws, revision) => {
        reach()
        bus.states.set(site, { jws, revision })
      },
      sendCommand: async (site, jws) => {
        reach()
        bus.sent.push({ site, jws })
      },
      presences: async (sites) => {
        reach()
        return new Map(sites.flatMap((site) => [...bus.online].filter(([id]) => id === site)))
      },
      removeSite: async (site) => void bus.states.delete(site),
    },
    world: {
      overlay: {
        publicKey: async () => `${'h'.repeat(42)}A=`,
        endpoint: 'manager.example:51820',
        hubAddress: 'fd00:1:2::1',
        siteNetwork: (subnet) => ({ network: `fd00:1:2:${subnet}::/64`, cidr: `fd00:1:2:${subnet}::1/64` }),
        setPeers: async (next) => {
          peers = next
        },
      },
      redis: { host: 'fd00:1:2::1', port: 6390 },
      artifacts: 'http://[fd00:1:2::1]:8480/artifacts',
      setSiteUser: async (site, sha256) => {
        reach()
        bus.users.set(site, sha256)
      },
      deleteSiteUser: async (site) => {
        reach()
        bus.users.delete(site)
      },
    },
    watch: { watch: (site) => void bus.watched.add(site), unwatch: (site) => void bus.watched.delete(site) },
    artifactBytes: async () => 1,
    presign: async (sha256) => `/bucket/${sha256}?signature=x`,
    loaders: async () => options.loaders ?? {},
    images: testImages(clock, log),
    dial: { manager: 'https://manager.example:8443', fingerprint: 'f'.repeat(64) },
    parts: [],
    pages: [],
    downloads: [],
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    newId,
    clock,
    log,
    version: 'test',
    ...options.engines,
  })
  for (const service of manager.services) await service.start()

  return {
    manager,
    db,
    clock,
    bus,
    peers: () => peers,
    signingKey,
    async ask(method, path, body, as = 'acme') {
      current = as === null ? undefined : typeof as === 'string' ? somebody(as) : as
      const answer = await manager.app.request(/^\/(api|healthz|setup|signin)/.test(path) ? path : `/api/v1${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json')
      return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers }
    },
    fact(kind, data, host, id = newId()) {
      return { id, event: JSON.stringify({ id, at: clock.now(), kind, ...(host === undefined ? {} : { host }), data }) }
    },
    async close() {
      for (const service of [manager.feed, ...[...manager.services].reverse()]) await service.stop()
      await db.destroy()
    },
  }
}

/** An appliance's half of enrolment. */
export function newBox(serial = 'box-1') {
  const signing = key()
  const { d: _, ...signingKey } = signing
  const wireguardKey = `${createHash('sha256').update(signing.x).digest('base64').slice(0, 42)}A=`
  return {
    wireguardKey,
    /** Without a token: a box of a generic image. */
    async request(token?: string, change: Record<string, unknown> = {}) {
      const body = {
        protocol: PROTOCOL,
        ...(token === undefined ? {} : { token }),
        wireguardKey,
        signingKey,
        hardware: { serial, macs: [] },
        version: '0.1.0',
        ...change,
      }
      return { ...body, proof: await signDocument('enrolment', body, signing) }
    },
  }
}

/** Appliance images on engines that nobody gets to. */
function testImages(clock: Clock, log: Log): Engines['images'] {
  const bucket = testBucket('/nowhere', clock)
  const jobs = fakeJobs()
  return { bucket, jobs, kinds: registerApplianceJobs(jobs, { bucket, builder: undefined, clock, log }), ticketKey: new Uint8Array(32) }
}

/** A site with one LAN. */
export async function newSite(harness: Harness, name: string, organisation = 'acme', more: Record<string, unknown> = {}): Promise<string> {
  const lans = [{ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'serve' }]
  const made = await harness.ask('POST', '/sites', { name, lans, ...more }, organisation)
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
  return made.body.id
}

function fakeBus(): FakeBus {
  const bus: FakeBus = {
    users: new Map(),
    states: new Map(),
    sent: [],
    watched: new Set(),
    online: new Map(),
    away: false,
    wipe() {
      bus.users.clear()
      bus.states.clear()
      bus.sent.length = 0
    },
  }
  return bus
}

function fakeAuth(current: () => Principal | undefined): Auth {
  const no = () => Promise.reject(new Error('not here'))
  return {
    principal: async () => current(),
    handle: async () => new Response(null, { status: 404 }),
    migrate: async () => {},
    signIn: async () => undefined,
    startSession: async () => undefined,
    session: async () => undefined,
    members: {
      list: async () => [],
      setRole: async (_, id) => Promise.reject(notFound('member', id)),
      remove: async (_, id) => Promise.reject(notFound('member', id)),
      invite: async () => ({ id: 'i1', code: 'i1.x', expiresAt: 0 }),
      invitations: async () => [],
      revoke: async (_, id) => Promise.reject(notFound('open invitation', id)),
      find: async () => Promise.reject(notFound('invitation', 'of this code')),
      accept: async () => Promise.reject(notFound('invitation', 'of this code')),
    },
    changePassword: async () => undefined,
    signOut: async () => new Headers(),
    hasAccounts: async () => true,
    createOwner: no,
    keys: { create: async () => ({ id: 'k1', key: 'bh_x' }), list: async () => [], remove: async () => false },
  }
}
