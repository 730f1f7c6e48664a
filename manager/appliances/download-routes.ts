import { createHash } from 'node:crypto'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { parseRange } from '../engines/bucket/byte-range.ts'
import { newApp, operation } from '../engines/http/app.ts'
import { notFound, Problem } from '../engines/http/problem.ts'
import type { Db } from '../engines/store/store.ts'
import type { DownloadLimits } from './downloads.ts'
import { CONTENT_TYPES, FORMATS, type Format } from './formats.ts'
import { downloadOf, findFrames } from './frames.ts'
import type { Images } from './images.ts'
import type { Seals } from './seal.ts'
import { chunksOf, type Segment, sliceSegments, totalOf } from './segments.ts'
import { type OpenTicket, openTicket } from './tickets.ts'

export interface DownloadDeps {
  db: Db
  bucket: Bucket
  images: Images
  seals: Seals
  limits: DownloadLimits
  /** Asks for the frames of an image that has none yet. */
  wantFrames(manifest: ApplianceImageManifest): Promise<void>
  clock: Clock
  log: Log
}

const download = operation('open', {
  method: 'get',
  path: '/appliance-images/download/{ticket}',
  tags: ['appliance images'],
  summary: 'Download an image with its own bridgehead.json inside',
  description:
    'Open: the ticket is the right to it. Knows ranges and HEAD; the same ticket gives the same bytes each time. Over once the box has enrolled.',
  request: {
    params: z.object({ ticket: z.string().max(64) }),
    query: z.strictObject({ format: z.enum(FORMATS).default('img') }),
  },
  responses: {
    200: { content: { 'application/octet-stream': { schema: z.string() } }, description: 'The whole disk, as it is or compressed.' },
    206: { content: { 'application/octet-stream': { schema: z.string() } }, description: 'The range that was asked for.' },
    416: { description: 'The range lies beyond the end.' },
  },
})

/** Personalised images, made while they travel: nothing of them is stored. */
export function downloadRoutes(deps: DownloadDeps) {
  const { db, bucket, images, limits, wantFrames, log } = deps

  const piecesOf = async (ticket: OpenTicket, manifest: ApplianceImageManifest, format: Format): Promise<Segment[]> => {
    const frames = format === 'img' ? undefined : await findFrames(bucket, manifest)
    const pieces = downloadOf(manifest, frames, format, ticket.own(format))
    if (pieces && (await allThere(bucket, pieces))) return pieces
    if (format === 'img') throw new Problem('unavailable', 'the bucket has lost this image; build it again')
    await wantFrames(manifest)
    throw new Problem('unavailable', `the image is being compressed for .${format}; ask again in a minute, or for format=img now`, {
      headers: { 'retry-after': '20' },
    })
  }

  return newApp().openapi(download, async (c) => {
    const { format } = c.req.valid('query')
    const ticket = await openTicket(db, deps, c.req.valid('param').ticket)
    if (!ticket) throw notFound('download', 'of this address (it expired, or was taken back); ask for a new one')
    if (!ticket.tokenGood)
      throw new Problem('token-expired', 'the token inside this image was spent, revoked or has expired; ask for a new download')
    const manifest = await images.find(ticket.organisation, ticket.image)
    if (!manifest) throw notFound('image', ticket.image)
    const entered = limits.enter(ticket.id)
    if (!entered.ok)
      throw new Problem('too-many-requests', `this download: ${entered.why}`, { headers: { 'retry-after': `${entered.seconds}` } })
    try {
      const pieces = await piecesOf(ticket, manifest, format)
      const total = totalOf(pieces)
      const etag = `"${createHash('sha256').update(`${manifest.image.sha256}\n${format}\n`).update(ticket.own(format)).digest('base64url')}"`
      const headers: Record<string, string> = {
        'accept-ranges': 'bytes',
        etag,
        'cache-control': 'private, no-store',
        'content-type': CONTENT_TYPES[format],
        'content-disposition': `attachment; filename="${fileName(manifest, ticket.siteName, format)}"`,
        'x-content-type-options': 'nosniff',
      }
      const condition = c.req.header('if-range')
      const range = parseRange(condition === undefined || condition === etag ? c.req.header('range') : undefined, total)
      if (range.kind === 'unsatisfiable') {
        entered.leave()
        return c.body(null, 416, { 'content-range': `bytes */${total}` })
      }
      const part = range.kind === 'part' ? range : { start: 0, end: total - 1 }
      headers['content-length'] = String(part.end - part.start + 1)
      if (range.kind === 'part') headers['content-range'] = `bytes ${part.start}-${part.end}/${total}`
      const status = range.kind === 'part' ? 206 : 200
      if (c.req.method === 'HEAD') {
        entered.leave()
        return c.body(null, status, headers)
      }
      if (part.start === 0) log.info('appliance_image.download', { ticket: ticket.id, site: ticket.site, image: manifest.hash, format })
      return new Response(streamOf(sliceSegments(pieces, part.start, part.end), bucket, entered.leave), { status, headers })
    } catch (error) {
      entered.leave()
      throw error
    }
  })
}

/** Looked at before the answer begins: afterwards it could only be broken off. */
async function allThere(bucket: Pick<Bucket, 'head'>, pieces: readonly Segment[]): Promise<boolean> {
  const names = new Set(pieces.flatMap((piece) => (piece.kind === 'object' ? [piece.sha256] : [])))
  return (await Promise.all([...names].map((sha256) => bucket.head(sha256)))).every(Boolean)
}

/** `bridgehead-berlin-x86_64-1.2.0.img.xz`. */
export function fileName(manifest: Pick<ApplianceImageManifest, 'board' | 'version'>, site: string | undefined, format: Format): string {
  return `bridgehead-${site === undefined ? '' : `${site}-`}${manifest.board}-${manifest.version}.${format}`
}

/** A chunk is read when the one before was taken, so that a slow reader costs no memory. `ended` is called once, however it ends. */
function streamOf(pieces: readonly Segment[], bucket: Pick<Bucket, 'get'>, ended: () => void): ReadableStream<Uint8Array> {
  const chunks = chunksOf(pieces, bucket.get)
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await chunks.next()
        if (!next.done) return controller.enqueue(next.value)
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      ended()
    },
    async cancel() {
      ended()
      await chunks.return(undefined)
    },
  })
}
