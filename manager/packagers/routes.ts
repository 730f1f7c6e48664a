import type { Clock } from '@bridgehead/shared/clock.ts'
import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import type { Apt } from '../engines/apt/apt.ts'
import { ArchiveError } from '../engines/apt/archive.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { invalidField, notFound, Problem } from '../engines/http/problem.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import { checkPossible, resolveRecipe } from './host-image/build.ts'
import { ImageError } from './host-image/unpack.ts'
import { Image, imageRequests, showImage } from './images.ts'
import type { PackagerJobs } from './jobs.ts'
import { HostImageRecipe } from './recipe.ts'

export interface PackagerDeps {
  bucket: Bucket
  apt: Apt
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'cancel' | 'follow'>
  kinds: PackagerJobs
  clock: Clock
  workDirectory: string
}

const params = z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits') })

const op = {
  create: operation('images:write', {
    method: 'post',
    path: '/images',
    tags: ['images'],
    summary: 'Make a host image, or find the one that is there',
    request: { body: body(HostImageRecipe) },
    responses: { 200: json(Image, 'It is there already.'), 202: json(Image, 'It is being made; `hash` names the job as well.') },
  }),
  list: operation('images:read', {
    method: 'get',
    path: '/images',
    tags: ['images'],
    summary: 'Host images that this organisation asked for',
    responses: { 200: json(z.object({ items: z.array(Image) }), 'Newest first.') },
  }),
  get: operation('images:read', {
    method: 'get',
    path: '/images/{hash}',
    tags: ['images'],
    summary: 'One image, how far it is, and the last lines of its log',
    request: { params },
    responses: { 200: json(Image, 'The image.') },
  }),
  follow: operation('images:read', {
    method: 'get',
    path: '/images/{hash}/progress',
    tags: ['images'],
    summary: 'The image now and after each change, as server-sent events, until it is ready or has failed',
    request: { params },
    responses: { 200: { content: { 'text/event-stream': { schema: z.string() } }, description: 'Events `image`; `data` is the image.' } },
  }),
  cancel: operation('images:write', {
    method: 'post',
    path: '/images/{hash}/cancel',
    tags: ['images'],
    summary: 'Stop making it',
    request: { params },
    responses: { 204: NOTHING },
  }),
  remove: operation('images:write', {
    method: 'delete',
    path: '/images/{hash}',
    tags: ['images'],
    summary: 'Forget it; profiles that use it keep it',
    request: { params },
    responses: { 204: NOTHING },
  }),
}

/** `/images`: the door of this room. */
export function packagerRoutes({ bucket, apt, jobs, kinds, clock, workDirectory }: PackagerDeps) {
  const requests = imageRequests(bucket)
  const show = (request: Parameters<typeof showImage>[1]) => showImage({ bucket, status: jobs.status }, request)
  const mine = async (organisation: string, hash: string) => {
    const request = await requests.find(organisation, hash)
    if (!request) throw notFound('image', hash)
    return request
  }

  return newApp()
    .openapi(op.create, async (c) => {
      const recipe = c.req.valid('json')
      try {
        checkPossible(recipe)
      } catch (error) {
        throw error instanceof ImageError ? invalidField(['architecture'], error.message) : error
      }
      const { resolved, hash } = await resolveRecipe(recipe, { apt, workDirectory }).catch((error: unknown) => {
        throw error instanceof ArchiveError ? new Problem('unavailable', error.message, { cause: error }) : error
      })
      const request = await requests.add(c.get('principal').organisation, { hash, recipe: resolved, requestedAt: clock.now() })
      const before = await show(request)
      if (before.state === 'ready') return c.json(before, 200)
      if (before.state !== 'waiting' && before.state !== 'building') await jobs.enqueue(kinds.hostImage, resolved, { id: hash })
      return c.json(await show(request), 202)
    })
    .openapi(op.list, async (c) => {
      const items = await Promise.all((await requests.list(c.get('principal').organisation)).map(show))
      return c.json({ items }, 200)
    })
    .openapi(op.get, async (c) => {
      const { hash } = c.req.valid('param')
      const image = await show(await mine(c.get('principal').organisation, hash))
      return c.json({ ...image, lines: (await jobs.status(hash))?.lines ?? [] }, 200)
    })
    .openapi(op.follow, async (c) => {
      const { hash } = c.req.valid('param')
      const request = await mine(c.get('principal').organisation, hash)
      return streamSSE(c, async (stream) => {
        const ended = new AbortController()
        stream.onAbort(() => ended.abort())
        const send = async () => stream.writeSSE({ event: 'image', data: JSON.stringify(await show(request)) })
        let told = false
        for await (const _ of jobs.follow(hash, ended.signal)) {
          await send()
          told = true
        }
        if (!told && !ended.signal.aborted) await send() // no job: ready since long, or lost
      })
    })
    .openapi(op.cancel, async (c) => {
      const { hash } = c.req.valid('param')
      await mine(c.get('principal').organisation, hash)
      await jobs.cancel(hash)
      return c.body(null, 204)
    })
    .openapi(op.remove, async (c) => {
      const { hash } = c.req.valid('param')
      const { organisation } = c.get('principal')
      await mine(organisation, hash)
      await requests.remove(organisation, hash)
      return c.body(null, 204)
    })
}
