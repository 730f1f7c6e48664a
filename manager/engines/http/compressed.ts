import type { MiddlewareHandler } from 'hono'
import { every } from 'hono/combine'
import { compress } from 'hono/compress'

/** What fits into one packet gains nothing. */
const WORTH_BYTES = 1_200
/** Whole answers made of text. Streams of events and files of any kind go as they are, so that ranges and sums stay true. */
const TEXT = /^(application\/(\S+\+)?json|text\/(html|css|javascript|plain))\b/

/** Answers of the API, packed as the client accepts it. Their length is known before, so that short ones are left alone. */
export const compressed: MiddlewareHandler = every(compress({ threshold: WORTH_BYTES, contentTypeFilter: TEXT }), async (c, next) => {
  await next()
  const { headers } = c.res
  if (!TEXT.test(headers.get('content-type') ?? '') || headers.has('content-length') || c.res.body === null) return
  const bytes = await c.res.arrayBuffer()
  c.res = new Response(bytes, c.res)
  c.res.headers.set('content-length', String(bytes.byteLength))
})
