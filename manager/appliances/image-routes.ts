import type { Clock } from '@bridgehead/shared/clock.ts'
import { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { Board } from '@bridgehead/shared/model/release.ts'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { type Bucket, BucketError } from '../engines/bucket/bucket.ts'
import { body, json, operation } from '../engines/http/app.ts'
import { invalidField, notFound, Problem, problemOf } from '../engines/http/problem.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import { ask, hashParams, type RequestRoom, requestRoutes } from '../engines/jobs/request-routes.ts'
import { Asked, Progress, progressOf, type Requests, requestsIn } from '../engines/jobs/requests.ts'
import { FORMATS } from './formats.ts'
import { findFrames } from './frames.ts'
import { faultsOf, type Images } from './images.ts'
import { type ApplianceJobs, enqueueFrames, type ImageBuilder } from './jobs.ts'

export interface ImageRouteDeps<R> {
  bucket: Bucket
  images: Images
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'>
  kinds: ApplianceJobs<R>
  builder: ImageBuilder<R> | undefined
  clock: Clock
}

/** `requestedAt` 0: nobody asked; it was built beside this manager. */
const ImageRequest = Asked.extend({ recipe: z.unknown().optional() })
type ImageRequest = z.infer<typeof ImageRequest>
type Known = ImageRequest & { manifest?: ApplianceImageManifest }

const ApplianceImage = ImageRequest.extend({
  ...Progress.shape,
  board: Board.optional(),
  version: z.string().optional(),
  /** In these it can be downloaded now; the others are being compressed. */
  formats: z.array(z.enum(FORMATS)).optional(),
  manifest: z.looseObject({}).optional(),
})
export type ApplianceImage = z.infer<typeof ApplianceImage>

const importImage = operation('images:write', {
  method: 'post',
  path: '/appliance-images/import',
  tags: ['appliance images'],
  summary: 'Take in an image that was built elsewhere',
  description:
    'The body is the manifest that the builder wrote; its artifacts lie in the bucket already: built there, or sent to `/appliance-images/files`. The image is your organisation’s alone.',
  request: { body: body(ApplianceImageManifest) },
  responses: { 201: json(ApplianceImage, 'It can be downloaded; compressed forms follow.') },
})

const DOCUMENT_SECONDS = 3_600
const getDocument = operation('images:read', {
  method: 'get',
  path: '/appliance-images/{hash}/files/{file}',
  tags: ['appliance images'],
  summary: 'What is inside: the list of components (SPDX 2.3), or their licences',
  request: { params: hashParams.extend({ file: z.enum(['sbom', 'licences']) }) },
  responses: { 302: { description: 'To a presigned URL, good for an hour.' } },
})

const upload = operation('images:write', {
  method: 'post',
  path: '/appliance-images/files',
  tags: ['appliance images'],
  summary: 'Put one file of an image that was built elsewhere into the bucket',
  description: 'The body is the file itself. Send `sha256` along, and what arrives otherwise is refused.',
  request: {
    query: z.strictObject({ name: ArtifactRef.shape.name, sha256: ArtifactRef.shape.sha256.optional() }),
    body: { required: true, content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } } },
  },
  responses: { 201: json(ArtifactRef, 'It lies in the bucket.') },
})
/** A disk image has some 400 MiB. */
const LARGEST_FILE_BYTES = 2 * 1024 ** 3

/** `/appliance-images`: the catalogue, building, and taking in what was built elsewhere. */
export function imageRoutes<R>({ bucket, images, jobs, kinds, builder, clock }: ImageRouteDeps<R>) {
  const room: RequestRoom<'appliance-images', Known, ApplianceImage> = {
    ...{ path: 'appliance-images', tag: 'appliance images', scope: 'images', one: 'image', many: 'images of the appliance', jobs, clock },
    forget: 'Forget the request, and an image that was taken in; sites and releases that use it keep it',
    shape: ApplianceImage,
    requests: withCatalogue(requestsIn(bucket, 'appliance-image-requests', ImageRequest), images),
    async show({ manifest, ...request }) {
      if (!manifest) return { ...request, ...progressOf(await jobs.status(request.hash)) }
      const { packages: _, ...shown } = manifest
      const made = (await findFrames(bucket, manifest))?.formats ?? {}
      const formats = FORMATS.filter((format) => format === 'img' || made[format] !== undefined)
      return { ...request, ...progressOf('ready'), board: manifest.board, version: manifest.version, formats, manifest: shown }
    },
    onForget: async (organisation, hash) => void (await images.remove(organisation, hash)),
  }

  const app = requestRoutes(room)
  const kind = kinds.applianceImage
  if (builder && kind)
    app.openapi(buildOperation(builder.request), async (c) => {
      const recipe = builder.request.parse(c.req.valid('json'))
      const hash = await builder.hashOf(recipe)
      const wish = { hash, recipe, requestedAt: clock.now() }
      const shown = await ask(room, c.get('principal').organisation, wish, () => jobs.enqueue(kind, recipe, { id: hash }))
      return c.json(shown, shown.state === 'ready' ? 200 : 202)
    })
  app.openapi(getDocument, async (c) => {
    const { hash, file } = c.req.valid('param')
    const manifest = await images.find(c.get('principal').organisation, hash)
    if (!manifest) throw notFound('image', hash)
    const { sha256, name } = manifest[file]
    return c.redirect(await bucket.presign(sha256, { expiresSeconds: DOCUMENT_SECONDS, name }), 302)
  })
  app.openapi(upload, async (c) => {
    // No web page may send this type to another origin without asking first, so that a cookie is no danger here.
    if (!/^application\/octet-stream\s*$/i.test(c.req.header('content-type') ?? ''))
      throw new Problem('content-type', 'expected content-type application/octet-stream: the file as it is')
    const { name, sha256 } = c.req.valid('query')
    const given = c.req.raw.body
    if (!given) throw new Problem('invalid', 'the body is empty; expected a file')
    const stored = await bucket.put(limited(given), { name, ...(sha256 === undefined ? {} : { sha256 }) }).catch((error: unknown) => {
      throw error instanceof BucketError && error.code === 'mismatch' ? invalidField(['query', 'sha256'], error.message) : error
    })
    return c.json({ ...stored, name }, 201)
  })
  return app.openapi(importImage, async (c) => {
    const { organisation } = c.get('principal')
    const manifest = c.req.valid('json')
    const known = await images.find(organisation, manifest.hash)
    if (known && known.image.sha256 !== manifest.image.sha256)
      throw invalidField(['hash'], 'another image has this hash already', 'name-taken')
    const faults = known ? [] : await faultsOf(bucket, manifest)
    if (faults.length > 0) throw problemOf(new z.ZodError(faults.map((fault) => ({ code: 'custom', input: undefined, ...fault }))))
    if (!known) await images.add(organisation, manifest)
    const request = await room.requests.add(organisation, { hash: manifest.hash, requestedAt: clock.now() })
    await enqueueFrames(jobs, kinds, manifest)
    return c.json(await room.show(request), 201)
  })
}

async function* limited(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > LARGEST_FILE_BYTES) throw new Problem('too-large', `expected at most ${LARGEST_FILE_BYTES} bytes`)
    yield chunk
  }
}

function buildOperation(request: z.ZodType) {
  return operation('images:write', {
    method: 'post',
    path: '/appliance-images',
    tags: ['appliance images'],
    summary: 'Build the appliance’s image, or find the one that is there',
    request: { body: body(request) },
    responses: {
      200: json(ApplianceImage, 'It is there already.'),
      202: json(ApplianceImage, 'It is being built; `hash` names the job as well.'),
    },
  })
}

/** Requests of an organisation, together with images that nobody had to ask for. */
function withCatalogue(asked: Requests<ImageRequest>, images: Images): Requests<Known> {
  const known = async (organisation: string, request: ImageRequest): Promise<Known> => {
    const manifest = await images.find(organisation, request.hash)
    return { ...request, ...(manifest ? { manifest } : {}) }
  }
  return {
    add: async (organisation, { manifest: _, ...wish }) => known(organisation, await asked.add(organisation, wish)),
    async find(organisation, hash) {
      const found = await known(organisation, (await asked.find(organisation, hash)) ?? { hash, requestedAt: 0 })
      return found.manifest || found.requestedAt > 0 ? found : undefined
    },
    async list(organisation) {
      const requests = await Promise.all((await asked.list(organisation)).map((request) => known(organisation, request)))
      const hashes = new Set(requests.map((request) => request.hash))
      const others = (await images.list(organisation)).filter(({ hash }) => !hashes.has(hash))
      return [...requests, ...others.map((manifest) => ({ hash: manifest.hash, requestedAt: 0, manifest }))]
    },
    remove: asked.remove,
  }
}
