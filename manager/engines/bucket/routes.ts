import { Readable } from 'node:stream'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { type Context, Hono } from 'hono'
import type { Bucket } from './bucket.ts'
import { parseRange } from './byte-range.ts'
import type { Presigner } from './presign.ts'

type Status = 403 | 404 | 416

/** `GET|HEAD /bucket/{sha256}` for presigned URLs, with ranges (RFC 9110 §14). Mount it at the root of a listener. */
export function bucketRoutes({ bucket, presigner, clock }: { bucket: Bucket; presigner: Presigner; clock: Clock }): Hono {
  const app = new Hono()
  app.get('/bucket/:sha256', async (context) => {
    const granted = presigner.verify(context.req.url, clock.now())
    if (!granted.ok) return problem(context, 403, 'Forbidden', granted.why)
    const { sha256, name } = granted
    const found = await bucket.head(sha256)
    if (!found) return problem(context, 404, 'Not Found', `the bucket holds no object ${sha256}`)

    const etag = `"${sha256}"`
    const headers: Record<string, string> = {
      'accept-ranges': 'bytes',
      etag,
      'cache-control': 'private, max-age=31536000, immutable',
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    }
    if (name !== undefined) headers['content-disposition'] = `attachment; filename="${name}"`
    const condition = context.req.header('if-range')
    const range = parseRange(condition === undefined || condition === etag ? context.req.header('range') : undefined, found.bytes)
    if (range.kind === 'unsatisfiable') {
      context.header('content-range', `bytes */${found.bytes}`)
      return problem(context, 416, 'Range Not Satisfiable', `the object has ${found.bytes} bytes`)
    }
    const part = range.kind === 'part' ? range : { start: 0, end: found.bytes - 1 }
    headers['content-length'] = String(part.end - part.start + 1)
    if (range.kind === 'part') headers['content-range'] = `bytes ${part.start}-${part.end}/${found.bytes}`
    const status = range.kind === 'part' ? 206 : 200
    if (context.req.method === 'HEAD' || found.bytes === 0) return context.body(null, status, headers)
    const body = await bucket.get(sha256, part)
    return new Response(webStream(body), { status, headers })
  })
  return app
}

/** The response's body; a reader that goes away closes the file. */
function webStream(body: Readable): ReadableStream<Uint8Array> {
  return Readable.toWeb(body) as ReadableStream<Uint8Array>
}

/** RFC 9457. */
function problem(context: Context, status: Status, title: string, detail: string): Response {
  return context.body(JSON.stringify({ type: 'about:blank', status, title, detail }), status, {
    'content-type': 'application/problem+json',
  })
}
