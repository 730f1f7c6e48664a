import { createHash } from 'node:crypto'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Hono } from 'hono'
import type { Engines } from '../assemble.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { key } from '../harness.ts'
import { registerMediaJobs } from '../packagers/media/jobs.ts'
import { createLinks } from '../packagers/media/links.ts'
import { MediaRequest } from '../packagers/media/media.ts'
import { type MediaManifest, mediaKey } from '../packagers/media/recipe.ts'
import { type MediaRoutesDeps, mediaRoutes } from '../packagers/media/routes.ts'

export const ISO = new TextEncoder().encode('an iso, as it were')
export const ISO_SHA256 = createHash('sha256').update(ISO).digest('hex')

/** For tests: the media room on jobs that nobody works on, and the downloads of what they would have made. */
export interface MediaRoom {
  engines: Pick<Engines, 'parts' | 'downloads'>
  jobs: FakeJobs
  /** Ranges that were asked for; undefined: the whole. */
  ranges: (string | undefined)[]
  /** Of the next whole download, only so many bytes arrive. */
  cutAt(bytes: number): void
  /** What becomes of the only job; `completed`: an ISO is there. */
  finish(to: Parameters<FakeJobs['set']>[1]): void
}

/** With `findSite`, each job is done as soon as somebody follows it. */
export function startMediaRoom({ findSite }: { findSite?: MediaRoutesDeps['findSite'] } = {}): MediaRoom {
  const clock = steppedClock(1_000)
  const jobs = fakeJobs()
  const documents = new Map<string, unknown>()
  const ranges: (string | undefined)[] = []
  let cut: number | undefined
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
  const nothing = () => Promise.reject(new Error('no test asks for it'))
  const bucket = {
    ...testBucket('/nowhere', clock),
    getDocument: async (at: string) => documents.get(at),
    putDocument: async (at: string, value: unknown) => void documents.set(at, JSON.parse(JSON.stringify(value))),
    async *listDocuments(prefix = '') {
      yield* [...documents.keys()].filter((at) => at.startsWith(prefix))
    },
    head: async (hash: string) => ({ sha256: hash, bytes: ISO.length }),
    presign: async (hash: string) => `/bucket/${hash}`,
  }
  const end = (to: Parameters<FakeJobs['set']>[1]) => {
    const [id = ''] = jobs.all.keys()
    if (to.state === 'completed')
      for (const [at, value] of [...documents])
        if (at.startsWith('media-requests/')) documents.set(mediaKey(id), made(MediaRequest.parse(value)))
    jobs.set(id, to)
    finish()
  }
  jobs.follow = async function* (id) {
    if (findSite) end({ state: 'completed' })
    const now = jobs.all.get(id)
    if (now) yield now
    await finished
    const then = jobs.all.get(id)
    if (then) yield then
  }
  const downloads = new Hono().get('/bucket/:hash', (c) => {
    const range = c.req.header('range')
    ranges.push(range)
    return range ? c.body(ISO.slice(Number(/\d+/.exec(range)?.[0])), 206) : c.body(ISO.slice(0, cut))
  })
  const room = mediaRoutes({
    ...{ bucket, jobs, clock, signingKey: key(), publicUrl: 'https://manager.example:8443' },
    links: createLinks({ bucket, random: (bytes) => new Uint8Array(bytes), clock }),
    kinds: registerMediaJobs(jobs, {
      ...{ bucket, clock, log: silentLog, workDirectory: '/nowhere' },
      apt: { archive: nothing, reach: nothing, fingerprint: nothing },
    }),
    findSite: findSite ?? (async () => undefined),
    orderBundle: nothing,
  })
  return {
    ...{ engines: { parts: [room], downloads: [downloads] }, jobs, ranges, finish: end },
    cutAt(bytes) {
      cut = bytes
    },
  }
}

function made({ hash, recipe, target, ways }: MediaRequest): MediaManifest {
  const file = { sha256: ISO_SHA256, bytes: ISO.length, name: `${recipe.name ?? 'bridgehead'}.iso` }
  return { kind: 'media', hash, recipe, target, ways, script: '', files: { iso: [file] }, parts: {}, seconds: {} }
}
