import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import { Board, Version } from '@bridgehead/shared/model/release.ts'
import { z } from 'zod'
import { type ImageBuilder, registerApplianceJobs } from '../appliances/jobs.ts'
import { createAuth } from '../auth/auth.ts'
import { DEBIAN_SOURCES } from '../builders/build.ts'
import { registerBuilderJobs } from '../builders/jobs.ts'
import { builderRoutes } from '../builders/routes.ts'
import type { Apt } from '../engines/apt/apt.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import type { Scope } from '../engines/http/scope.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { openStore } from '../engines/store/store.ts'
import { type Answer, type Harness, key, startHarness } from '../harness.ts'
import { registerPackagerJobs } from '../packagers/jobs.ts'
import { registerMediaJobs } from '../packagers/media/jobs.ts'
import { createLinks, type Links } from '../packagers/media/links.ts'
import { mediaRoutes } from '../packagers/media/routes.ts'
import { packagerRoutes } from '../packagers/routes.ts'
import { findSite } from '../sites/records.ts'

/** For tests: the manager with every room and with real accounts of two organisations; nobody works on its jobs. */
export interface WholeApi {
  harness: Harness
  bucket: Bucket
  jobs: FakeJobs
  links: Links
  /** An API key of an organisation, with every scope unless told. */
  newKey(organisation: 'acme' | 'evil', scopes?: readonly Scope[]): Promise<string>
  organisations: Record<'acme' | 'evil', string>
  /** Asks below `/api/v1` with this key, or with none. A body that is bytes is sent as it is. */
  ask(apiKey: string | null, method: string, path: string, body?: unknown): Promise<Answer>
  close(): Promise<void>
}

/** `live`: who follows a job hears of every change; see `fakeJobs`. */
export async function startWholeApi({ log = silentLog, live = false }: { log?: Log; live?: boolean } = {}): Promise<WholeApi> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-api-'))
  const db = await openStore(':memory:')
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
  const clock = systemClock
  const auth = createAuth({ db, secret: 's'.repeat(43), baseUrl: 'https://manager.example:8443', trustedOrigins: [], random, clock, log })
  await auth.migrate()
  const owner = async (name: string) =>
    (await auth.createOwner({ email: `${name}@example.com`, password: 'correct horse battery', name, organisation: name })).organisation
  const organisations = { acme: await owner('acme'), evil: await owner('evil') }

  const bucket = testBucket(join(directory, 'bucket'), clock)
  const jobs = fakeJobs({ live })
  const apt: Apt = { archive: async () => ({ codename: 'trixie', parts: [] }), reach: async () => [], fingerprint: async () => '' }
  const making = { bucket, apt, clock, log, jobs, workDirectory: join(directory, 'work'), sources: DEBIAN_SOURCES }
  const links = createLinks({ bucket, random, clock })
  const signingKey = key()
  const request = z.strictObject({ board: Board.default('x86_64'), version: Version.default('1.0.0') })
  const builder: ImageBuilder<z.infer<typeof request>> = {
    request,
    hashOf: async (wish) => createHash('sha256').update(JSON.stringify(wish)).digest('hex'),
    build: () => Promise.reject(new Error('nobody works here')),
  }
  const harness = await startHarness({
    db,
    log,
    engines: {
      auth,
      clock,
      images: { bucket, jobs, builder, kinds: registerApplianceJobs(jobs, { ...making, builder }), ticketKey: new Uint8Array(32) },
      parts: [
        packagerRoutes({ ...making, kinds: registerPackagerJobs(jobs, making) }),
        builderRoutes({ ...making, kinds: registerBuilderJobs(jobs, making), signingKey: () => signingKey }),
        mediaRoutes({
          ...making,
          ...{ links, signingKey, publicUrl: 'https://manager.example:8443', kinds: registerMediaJobs(jobs, making) },
          findSite: (organisation, idOrName) => findSite(db, organisation, idOrName),
          orderBundle: () => Promise.reject(new Error('nobody works here')),
        }),
      ],
    },
  })
  return {
    harness,
    bucket,
    jobs,
    links,
    organisations,
    async newKey(organisation, scopes = ['admin']) {
      return (await auth.keys.create({ organisation: organisations[organisation], name: 'test', scopes })).key
    },
    async ask(apiKey, method, path, body) {
      const headers: Record<string, string> = apiKey === null ? {} : { 'x-api-key': apiKey }
      const bytes = body instanceof Uint8Array ? new Uint8Array(body) : undefined
      if (body !== undefined) headers['content-type'] = bytes ? 'application/octet-stream' : 'application/json'
      const sent = body === undefined ? {} : { body: bytes ?? JSON.stringify(body) }
      const answer = await harness.manager.app.request(`/api/v1${path}`, { method, headers, ...sent })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json')
      return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers }
    },
    async close() {
      await harness.close()
      await rm(directory, { recursive: true })
    },
  }
}
