import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { Board } from '@bridgehead/shared/model/release.ts'
import { z } from 'zod'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { invalidField, notFound } from '../engines/http/problem.ts'
import { hashParams } from '../engines/jobs/request-routes.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { findSite, getSite, type SiteRow } from '../sites/records.ts'
import { ConfigTextError, encodeConfig } from './config-text.ts'
import { fileName } from './download-routes.ts'
import { FORMATS } from './formats.ts'
import type { Images } from './images.ts'
import { addTicket, listTickets, personalBytes, removeTicket, sweepTickets, type Ticket, type TicketDeps } from './tickets.ts'

export interface TicketRouteDeps extends TicketDeps {
  db: Db
  images: Images
  /** What `bridgehead.json` says besides the token. */
  dial: { manager: string; fingerprint?: string | undefined }
  newToken(tx: Tx, site: SiteRow, expiresInSeconds: number): Promise<{ id: string; token: string; expiresAt: number }>
  /** Makes sure that compressed forms come, where they are not there yet. */
  wantFrames(manifest: ApplianceImageManifest): Promise<void>
}

const { uplink, lan, install } = ApplianceConfig.shape
const options = {
  /** How the box reaches the manager; by DHCP on the first wired interface unless told. */
  uplink,
  lan,
  install,
  /** How long the download may begin: one minute to a week; an hour unless told. */
  expiresInSeconds: z.int().min(60).max(604_800).default(3_600),
}
const token = {
  /** How long the box has to enrol, counted from now: one minute to 30 days; a week unless told. */
  tokenExpiresInSeconds: z.int().min(60).max(2_592_000).default(604_800),
}
const NewTicket = z.strictObject({
  ...options,
  ...token,
  /** Id or name. Without a site the image is a generic one: its box shows a claim code. */
  site: z.string().max(100).optional(),
})
const NewSiteTicket = z.strictObject({
  ...options,
  ...token,
  /** The newest image for this board. */
  board: Board.default('x86_64'),
  /** Hash of an image, instead of the newest one. */
  image: z.string().max(64).optional(),
})
const ShownTicket = z.object({
  id: z.string(),
  image: z.string(),
  site: z.string().optional(),
  createdAt: z.int(),
  expiresAt: z.int(),
})
const MadeTicket = ShownTicket.extend({
  /** Until when the box must have enrolled; absent for a generic image. */
  tokenExpiresAt: z.int().optional(),
  /** Anybody who knows one may download. Shown this once. */
  downloads: z.array(z.object({ format: z.enum(FORMATS), url: z.url(), fileName: z.string() })),
})

const tags = ['appliance images']
const op = {
  forImage: operation('sites:write', {
    method: 'post',
    path: '/appliance-images/{hash}/tickets',
    tags,
    summary: 'Addresses from which this image can be downloaded, for a site or for any',
    description: 'For a site it carries a one-time token, made now. Write it to a card or stick, plug it in, and the box enrols by itself.',
    request: { params: hashParams, body: body(NewTicket) },
    responses: { 201: json(MadeTicket, 'The addresses.') },
  }),
  forSite: operation('sites:write', {
    method: 'post',
    path: '/sites/{id}/image-tickets',
    tags,
    summary: 'The same for one site, with the newest image',
    request: { params: z.object({ id: z.string().max(100) }), body: body(NewSiteTicket) },
    responses: { 201: json(MadeTicket, 'The addresses.') },
  }),
  list: operation('sites:read', {
    method: 'get',
    path: '/image-tickets',
    tags,
    summary: 'Downloads that may still begin, newest first',
    responses: { 200: json(z.object({ items: z.array(ShownTicket) }), 'Without their addresses.') },
  }),
  remove: operation('sites:write', {
    method: 'delete',
    path: '/image-tickets/{id}',
    tags,
    summary: 'Take a download back, with its token unless that was spent',
    request: { params: z.object({ id: z.string().max(64) }) },
    responses: { 204: NOTHING },
  }),
}

export function ticketRoutes(deps: TicketRouteDeps) {
  const { db, images, dial, newToken, wantFrames, clock } = deps

  const make = async (organisation: string, manifest: ApplianceImageManifest, siteName: string | undefined, wish: Wish) => {
    await wantFrames(manifest)
    await sweepTickets(db, clock.now())
    const site = siteName === undefined ? undefined : await findSite(db, organisation, siteName)
    if (siteName !== undefined && !site) throw invalidField(['site'], `there is no site "${siteName}"`, 'reference-unknown')
    const { uplink, lan, install, expiresInSeconds, tokenExpiresInSeconds } = wish
    const config = { name: site?.name, ...dial, uplink, lan, install }
    fits({ ...config, token: 'x'.repeat(64) }) // said before a token is made
    const token = site && (await db.transaction().execute((tx) => newToken(tx, site, tokenExpiresInSeconds)))
    const bytes = await personalBytes({ ...config, token: token?.token })
    const expiresAt = clock.now() + expiresInSeconds * 1000
    const ticket = { organisation, image: manifest.hash, site: site?.id, token: token?.id, expiresAt }
    const made = await db.transaction().execute((tx) => addTicket(tx, deps, ticket, bytes))
    const url = (format: string) => new URL(`/api/v1/appliance-images/download/${made.code}?format=${format}`, dial.manager).href
    const downloads = FORMATS.map((format) => ({ format, url: url(format), fileName: fileName(manifest, site?.name, format) }))
    return { ...shown(made), ...(token ? { tokenExpiresAt: token.expiresAt } : {}), downloads }
  }
  const newest = async (organisation: string, board: Board) => {
    const [first, second] = (await images.list(organisation)).filter((image) => image.board === board)
    if (!first)
      throw invalidField(['board'], `there is no image for ${board} yet; build one: POST /api/v1/appliance-images`, 'reference-unknown')
    if (second?.version === first.version)
      throw invalidField(['image'], `several images for ${board} have version ${first.version}; name one by its hash`, 'reference-unknown')
    return first
  }
  const imageOf = async (organisation: string, hash: string) => {
    const manifest = await images.find(organisation, hash)
    if (!manifest) throw notFound('image', hash)
    return manifest
  }

  return newApp()
    .openapi(op.forImage, async (c) => {
      const { organisation } = c.get('principal')
      const { site, ...wish } = c.req.valid('json')
      const manifest = await imageOf(organisation, c.req.valid('param').hash)
      c.header('cache-control', 'no-store')
      return c.json(await make(organisation, manifest, site, wish), 201)
    })
    .openapi(op.forSite, async (c) => {
      const { organisation } = c.get('principal')
      const { board, image, ...wish } = c.req.valid('json')
      const site = await getSite(db, organisation, c.req.valid('param').id)
      const manifest = image === undefined ? await newest(organisation, board) : await imageOf(organisation, image)
      c.header('cache-control', 'no-store')
      return c.json(await make(organisation, manifest, site.id, wish), 201)
    })
    .openapi(op.list, async (c) => {
      const items = (await listTickets(db, c.get('principal').organisation, clock.now())).map(shown)
      return c.json({ items }, 200)
    })
    .openapi(op.remove, async (c) => {
      const { id } = c.req.valid('param')
      const done = await db.transaction().execute((tx) => removeTicket(tx, c.get('principal').organisation, id))
      if (!done) throw notFound('download', id)
      return c.body(null, 204)
    })
}

type Wish = Omit<z.output<typeof NewSiteTicket>, 'board' | 'image'>

function shown({ organisation: _, token: __, site, ...ticket }: Ticket & { code?: string }): z.infer<typeof ShownTicket> {
  const { id, image, createdAt, expiresAt } = ticket
  return { id, image, createdAt, expiresAt, ...(site === undefined ? {} : { site }) }
}

function fits(config: Parameters<typeof encodeConfig>[0]): void {
  try {
    encodeConfig(config)
  } catch (error) {
    throw error instanceof ConfigTextError ? invalidField(['uplink'], error.message) : error
  }
}
