import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { body, json, operation } from '../engines/http/app.ts'
import { Problem } from '../engines/http/problem.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import { ask, hashParams, type RequestRoom, requestOf, requestRoutes } from '../engines/jobs/request-routes.ts'
import { requestsIn } from '../engines/jobs/requests.ts'
import { BuildLog, buildLogKey, findBuild, planBuild } from './build.ts'
import { AskedBuild, Build, showBuild } from './builds.ts'
import { BuildError } from './confine/error.ts'
import type { BuilderSources } from './deps.ts'
import type { BuilderJobs } from './jobs.ts'
import { BuildRequest } from './model.ts'
import { provenanceOf, signEnvelope } from './provenance.ts'
import { LARGEST_SOURCE_BYTES, limited } from './sources/resolve.ts'
import { artifactName } from './sources/source.ts'

export interface BuilderRouteDeps {
  bucket: Bucket
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'>
  kinds: BuilderJobs
  clock: Clock
  sources: BuilderSources
  /** Signs provenance when it is asked for, so that workers need no key. */
  signingKey(): Promise<PrivateKey> | PrivateKey
}

const DOWNLOAD_SECONDS = 3_600
const decompress = promisify(gunzip)

const op = {
  create: operation('builds:write', {
    method: 'post',
    path: '/builds',
    tags: ['builds'],
    summary: 'Build loaders from source, or find those that are there',
    request: { body: body(BuildRequest) },
    responses: { 200: json(Build, 'It is there already.'), 202: json(Build, 'It is being built; `hash` names the job as well.') },
  }),
  log: operation('builds:read', {
    method: 'get',
    path: '/builds/{hash}/log',
    tags: ['builds'],
    summary: 'The whole log once it has ended; before that, its last lines',
    request: { params: hashParams },
    responses: { 200: { content: { 'text/plain': { schema: z.string() } }, description: 'Lines.' } },
  }),
  provenance: operation('builds:read', {
    method: 'get',
    path: '/builds/{hash}/provenance',
    tags: ['builds'],
    summary: 'What it was built of, and by what: in-toto statement with SLSA provenance, in a DSSE envelope signed by this manager',
    request: { params: hashParams },
    responses: {
      200: json(
        z.object({
          payloadType: z.string(),
          payload: z.string(),
          signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })),
        }),
        'The envelope; the statement is in `payload`, in base64.',
      ),
    },
  }),
  upload: operation('builds:write', {
    method: 'post',
    path: '/sources',
    tags: ['builds'],
    summary: 'Upload a tarball of source',
    description: 'The body is the tarball itself. Name it in a build by `source: { kind: "upload", sha256, name, version }`.',
    request: {
      query: z.object({ name: z.string().min(1).max(100).default('source.tar') }),
      body: { required: true, content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } } },
    },
    responses: { 201: json(ArtifactRef, 'It lies in the bucket.') },
  }),
}

/** `/builds` and `/sources`: the door of this room. */
export function builderRoutes({ bucket, jobs, kinds, clock, sources, signingKey }: BuilderRouteDeps) {
  const downloads = async (build: Build) => {
    if (!build.manifest) return {}
    const links = build.manifest.outputs.map(async ({ name, sha256 }) => {
      const file = name.split('/').at(-1) ?? name
      return [name, await bucket.presign(sha256, { expiresSeconds: DOWNLOAD_SECONDS, name: file })] as const
    })
    return { downloads: Object.fromEntries(await Promise.all(links)) }
  }

  const room: RequestRoom<'builds', AskedBuild, Build> = {
    ...{ path: 'builds', tag: 'builds', scope: 'builds', one: 'build', many: 'builds', shape: Build, jobs, clock },
    forget: 'Forget it; what was made with it stays',
    requests: requestsIn(bucket, 'asked-builds', AskedBuild),
    show: (asked) => showBuild({ bucket, jobs }, asked),
    more: downloads,
  }

  return requestRoutes(room)
    .openapi(op.create, async (c) => {
      const plan = await planBuild(c.req.valid('json'), { bucket, sources })
      const wish = { hash: plan.hash, request: plan.request, requestedAt: clock.now() }
      const build = await ask(room, c.get('principal').organisation, wish, () => jobs.enqueue(kinds.build, plan, { id: plan.hash }))
      return c.json(build, build.state === 'ready' ? 200 : 202)
    })
    .openapi(op.log, async (c) => {
      const { hash } = c.req.valid('param')
      await requestOf(room, c.get('principal').organisation, hash)
      const job = await jobs.status(hash)
      const running = job?.state === 'active' || job?.state === 'waiting'
      const kept = running ? undefined : BuildLog.safeParse(await bucket.getDocument(buildLogKey(hash))).data
      const text = kept && (await bucket.head(kept.log.sha256)) ? await readGzip(bucket, kept.log.sha256) : undefined
      return c.text(text ?? (job?.lines ?? []).map((line) => `${line}\n`).join(''), 200)
    })
    .openapi(op.provenance, async (c) => {
      const { hash } = c.req.valid('param')
      await requestOf(room, c.get('principal').organisation, hash)
      const manifest = await findBuild(bucket, hash)
      if (!manifest) throw new Problem('not-found', `build "${hash}" is not ready, so there is nothing to vouch for`)
      const key = await signingKey()
      return c.json(signEnvelope(provenanceOf(manifest, `urn:bridgehead:manager:${key.kid}`), key), 200)
    })
    .openapi(op.upload, async (c) => {
      // No web page may send this type to another origin without asking first, so that a cookie is no danger here.
      if (!/^application\/octet-stream\s*$/i.test(c.req.header('content-type') ?? ''))
        throw new Problem('content-type', 'expected content-type application/octet-stream: the tarball as it is')
      const name = artifactName(c.req.valid('query').name)
      const given = c.req.raw.body
      if (!given) throw new Problem('invalid', 'the body is empty; expected a tarball')
      const stored = await bucket.put(limited(given, LARGEST_SOURCE_BYTES), { name }).catch((error: unknown) => {
        throw error instanceof BuildError ? new Problem('too-large', `the tarball is ${error.message}`, { cause: error }) : error
      })
      return c.json({ ...stored, name }, 201)
    })
}

async function readGzip(bucket: Bucket, sha256: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await bucket.get(sha256)) as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return (await decompress(Buffer.concat(chunks))).toString('utf8')
}
