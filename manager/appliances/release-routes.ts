import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import { ReleaseManifest, Version } from '@bridgehead/shared/model/release.ts'
import { z } from 'zod'
import { body, json, newApp, operation } from '../engines/http/app.ts'
import { invalidField } from '../engines/http/problem.ts'
import type { Db } from '../engines/store/store.ts'
import type { Images } from './images.ts'
import { addRelease, getRelease, listReleases, type Release, releaseOf } from './releases.ts'

const DAY_MS = 86_400_000
const NewRelease = z.strictObject({
  /** Hash of an appliance image. */
  image: z.string().max(64),
  /** As a check: the version that the image says it is. */
  version: Version.optional(),
  /** Boxes that run an older version must take another release first. */
  floor: Version.default('0.0.0'),
  /** No box begins with it afterwards; a year at most, 90 days unless told. */
  expiresInDays: z.int().min(1).max(365).default(90),
  /** It may be older than what runs: a wish to go back. */
  rollback: z.boolean().default(false),
})
const ShownRelease = z.object({
  id: z.string(),
  image: z.string(),
  board: z.string(),
  version: z.string(),
  manifest: ReleaseManifest,
  createdBy: z.string(),
  createdAt: z.int(),
})

const tags = ['releases']
const op = {
  create: operation('images:write', {
    method: 'post',
    path: '/releases',
    tags,
    summary: 'Offer an image as an update',
    description: 'Nothing happens at any site until a rollout tells it.',
    request: { body: body(NewRelease) },
    responses: { 201: json(ShownRelease, 'The release.') },
  }),
  list: operation('images:read', {
    method: 'get',
    path: '/releases',
    tags,
    summary: 'Releases, newest first',
    responses: { 200: json(z.object({ items: z.array(ShownRelease) }), 'The releases.') },
  }),
  get: operation('images:read', {
    method: 'get',
    path: '/releases/{id}',
    tags,
    summary: 'One release',
    request: { params: z.object({ id: z.string().max(64) }) },
    responses: { 200: json(ShownRelease, 'The release.') },
  }),
}

export function releaseRoutes({ db, images, newId, clock }: { db: Db; images: Images; newId: NewId; clock: Clock }) {
  return newApp()
    .openapi(op.create, async (c) => {
      const { organisation, actor } = c.get('principal')
      const { image: hash, version, floor, expiresInDays, rollback } = c.req.valid('json')
      const image = await images.find(organisation, hash)
      if (!image) throw invalidField(['image'], `there is no image "${hash}"`, 'reference-unknown')
      if (version !== undefined && version !== image.version)
        throw invalidField(['version'], `the image is version ${image.version}, as the box will report it; got ${version}`)
      const now = clock.now()
      const manifest = releaseOf(image, { floor, rollback, expiresAt: now + expiresInDays * DAY_MS })
      const { board, version: said } = image
      const release = { id: newId(), organisation, image: hash, board, version: said, manifest, createdBy: actor.name, createdAt: now }
      await db.transaction().execute((tx) => addRelease(tx, release))
      return c.json(shown(release), 201)
    })
    .openapi(op.list, async (c) => c.json({ items: (await listReleases(db, c.get('principal').organisation)).map(shown) }, 200))
    .openapi(op.get, async (c) => c.json(shown(await getRelease(db, c.get('principal').organisation, c.req.valid('param').id)), 200))
}

function shown({ organisation: _, ...release }: Release): z.infer<typeof ShownRelease> {
  return release
}
