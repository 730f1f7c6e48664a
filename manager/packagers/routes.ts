import { ArchiveError } from '../engines/apt/archive.ts'
import { body, json, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import type { Workshop } from '../engines/jobs/maker-deps.ts'
import { ask, type RequestRoom, requestRoutes } from '../engines/jobs/request-routes.ts'
import { requestsIn } from '../engines/jobs/requests.ts'
import { checkPossible, resolveRecipe } from './host-image/build.ts'
import { ImageError } from './host-image/unpack.ts'
import { Image, ImageRequest, showImage } from './images.ts'
import type { PackagerJobs } from './jobs.ts'
import { HostImageRecipe } from './recipe.ts'

export interface PackagerDeps extends Workshop {
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'>
  kinds: PackagerJobs
}

const create = operation('images:write', {
  method: 'post',
  path: '/images',
  tags: ['images'],
  summary: 'Make a host image, or find the one that is there',
  request: { body: body(HostImageRecipe) },
  responses: { 200: json(Image, 'It is there already.'), 202: json(Image, 'It is being made; `hash` names the job as well.') },
})

/** `/images`: the door of this room. */
export function packagerRoutes({ bucket, apt, jobs, kinds, clock, workDirectory }: PackagerDeps) {
  const room: RequestRoom<'images', ImageRequest, Image> = {
    ...{ path: 'images', tag: 'images', scope: 'images', one: 'image', many: 'host images', shape: Image, jobs, clock },
    forget: 'Forget it; profiles that use it keep it',
    requests: requestsIn(bucket, 'images', ImageRequest),
    show: (request) => showImage({ bucket, jobs }, request),
  }
  return requestRoutes(room).openapi(create, async (c) => {
    const recipe = c.req.valid('json')
    try {
      checkPossible(recipe)
    } catch (error) {
      throw error instanceof ImageError ? invalidField(['architecture'], error.message) : error
    }
    const { resolved, hash } = await resolveRecipe(recipe, { apt, workDirectory }).catch((error: unknown) => {
      throw error instanceof ArchiveError ? new Problem('unavailable', error.message, { cause: error }) : error
    })
    const wish = { hash, recipe: resolved, requestedAt: clock.now() }
    const image = await ask(room, c.get('principal').organisation, wish, () => jobs.enqueue(kinds.hostImage, resolved, { id: hash }))
    return c.json(image, image.state === 'ready' ? 200 : 202)
  })
}
