import type { Clock } from '@bridgehead/shared/clock.ts'
import { fingerprintOf, type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { z } from 'zod'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { body, json, NOTHING, operation } from '../../engines/http/app.ts'
import { invalidField, notFound, Problem } from '../../engines/http/problem.ts'
import type { Jobs } from '../../engines/jobs/jobs.ts'
import { ask, hashParams, type RequestRoom, requestOf, requestRoutes } from '../../engines/jobs/request-routes.ts'
import { requestsIn } from '../../engines/jobs/requests.ts'
import type { MediaJobs } from './jobs.ts'
import { Link, type Links } from './links.ts'
import { findMedia, hashOf } from './make.ts'
import { Media, MediaRequest, showMedia } from './media.ts'
import { MediaRecipe } from './recipe.ts'
import { type Resolver, resolveRecipe } from './resolve.ts'

export interface MediaRoutesDeps extends Resolver {
  bucket: Bucket
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'>
  kinds: MediaJobs
  links: Links
  /** Signs manifests. */
  signingKey: PrivateKey
  /** Where people reach this manager, such as `https://manager.example:8443`. */
  publicUrl: string
  clock: Clock
}

const NewLink = z.strictObject({
  /** Name or sha256 of one of the files. */
  file: z.string().max(100),
  /** One minute to 30 days; a day unless told. */
  expiresInSeconds: z.int().min(60).max(2_592_000).default(86_400),
})
const ShownLink = Link.extend({
  /** Short, public: for a phone, a chat, a QR code. */
  url: z.url(),
  /** The file itself, with ranges; lives an hour at most. */
  download: z.url().optional(),
})
const Signed = z.object({
  /** Compact JWS (RFC 7515) of the whole manifest, `typ` bridgehead-manifest. */
  jws: z.string(),
  kid: z.string(),
  /** Of this manager's key: what a site without uplink is told to trust when it imports its first bundle. */
  fingerprint: z.string(),
})

const op = {
  create: operation('media:write', {
    method: 'post',
    path: '/media',
    tags: ['media'],
    summary: 'Make boot media from one recipe, or find what is there',
    description: 'ISO, USB stick, Raspberry Pi image, PXE set, Secure Boot set, offline bundle: any of them from one recipe, in one call.',
    request: { body: body(MediaRecipe) },
    responses: { 200: json(Media, 'They are there already.'), 202: json(Media, 'They are being made; `hash` names the job as well.') },
  }),
  signature: operation('media:read', {
    method: 'get',
    path: '/media/{hash}/signature',
    tags: ['media'],
    summary: 'The manifest (every file with size and sha256), signed by this manager',
    request: { params: hashParams },
    responses: { 200: json(Signed, 'Made now.') },
  }),
  download: operation('media:read', {
    method: 'get',
    path: '/media/{hash}/files/{file}',
    tags: ['media'],
    summary: 'Download one file, by its name or its sha256',
    request: { params: hashParams.extend({ file: z.string().max(100) }) },
    responses: { 302: { description: 'To a presigned URL, good for an hour, which knows ranges.' } },
  }),
  link: operation('media:write', {
    method: 'post',
    path: '/media/{hash}/links',
    tags: ['media'],
    summary: 'A short public link to one file',
    request: { params: hashParams, body: body(NewLink) },
    responses: { 201: json(ShownLink, 'The link.') },
  }),
  links: operation('media:read', {
    method: 'get',
    path: '/media/{hash}/links',
    tags: ['media'],
    summary: 'Short links to these media',
    request: { params: hashParams },
    responses: { 200: json(z.object({ items: z.array(ShownLink) }), 'Newest first.') },
  }),
  unlink: operation('media:write', {
    method: 'delete',
    path: '/media/{hash}/links/{code}',
    tags: ['media'],
    summary: 'End a short link now',
    request: { params: hashParams.extend({ code: z.string().max(20) }) },
    responses: { 204: NOTHING },
  }),
}

/** `/media`: the door of this room. The short links' own door is `linkRoutes`. */
export function mediaRoutes(deps: MediaRoutesDeps) {
  const { bucket, jobs, kinds, links, clock, publicUrl } = deps
  const room: RequestRoom<'media', MediaRequest, Media> = {
    ...{ path: 'media', tag: 'media', scope: 'media', one: 'media', many: 'boot media', shape: Media, jobs, clock },
    forget: 'Forget them, and their links',
    requests: requestsIn(bucket, 'media-requests', MediaRequest),
    show: (request) => showMedia({ bucket, jobs }, request),
    async onForget(organisation, id) {
      for (const { code } of await links.list(organisation, id)) await links.remove(organisation, code)
    },
  }
  const finished = async (organisation: string, id: string) => {
    await requestOf(room, organisation, id)
    const manifest = await findMedia(bucket, id)
    if (!manifest) throw new Problem('unavailable', 'these media are not ready; ask for them again, or wait')
    return manifest
  }
  const fileOf = async (organisation: string, id: string, name: string) => {
    const files = Object.values((await finished(organisation, id)).files).flat()
    const found = files.filter((one) => one.sha256 === name || one.name === name)
    const [file] = found
    if (!file) throw notFound('file among these media', name)
    if (found.some(({ sha256 }) => sha256 !== file.sha256))
      throw invalidField(['file'], `several files are named "${name}"; expected the sha256 of one of them`)
    return file
  }
  const presigned = async (file: Link['file'], seconds: number) =>
    bucket.presign(file.sha256, { expiresSeconds: Math.min(seconds, 3600), name: file.name })
  const shown = (link: Link) => ({ ...link, url: `${publicUrl}/d/${link.code}` })

  return requestRoutes(room)
    .openapi(op.create, async (c) => {
      const { organisation } = c.get('principal')
      const { resolved, ways } = await resolveRecipe(c.req.valid('json'), organisation, deps)
      const id = await hashOf(resolved)
      const { recipe, target } = resolved
      const wish = { hash: id, recipe, target, ways, requestedAt: clock.now() }
      const media = await ask(room, organisation, wish, () => jobs.enqueue(kinds.media, resolved, { id }))
      return c.json(media, media.state === 'ready' ? 200 : 202)
    })
    .openapi(op.signature, async (c) => {
      const manifest = await finished(c.get('principal').organisation, c.req.valid('param').hash)
      const { signingKey } = deps
      const jws = await signDocument('manifest', manifest, signingKey)
      return c.json({ jws, kid: signingKey.kid, fingerprint: await fingerprintOf(signingKey) }, 200)
    })
    .openapi(op.download, async (c) => {
      const { hash: id, file } = c.req.valid('param')
      return c.redirect(await presigned(await fileOf(c.get('principal').organisation, id, file), 3600), 302)
    })
    .openapi(op.link, async (c) => {
      const { organisation } = c.get('principal')
      const id = c.req.valid('param').hash
      const { file: name, expiresInSeconds } = c.req.valid('json')
      const file = await fileOf(organisation, id, name)
      const link = await links.add({ organisation, hash: id, file, expiresAt: clock.now() + expiresInSeconds * 1000 })
      const download = new URL(await presigned(file, expiresInSeconds), publicUrl).href
      return c.json({ ...shown(link), download }, 201)
    })
    .openapi(op.links, async (c) => {
      const { organisation } = c.get('principal')
      const id = c.req.valid('param').hash
      await requestOf(room, organisation, id)
      return c.json({ items: (await links.list(organisation, id)).map(shown) }, 200)
    })
    .openapi(op.unlink, async (c) => {
      const { organisation } = c.get('principal')
      const { hash: id, code } = c.req.valid('param')
      await requestOf(room, organisation, id)
      if (!(await links.remove(organisation, code))) throw notFound('link', code)
      return c.body(null, 204)
    })
}
