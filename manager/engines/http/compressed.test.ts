import { gunzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { expect, test } from 'vitest'
import { compressed } from './compressed.ts'

const LONG = 'a list of many hosts '.repeat(1_000)
const app = new Hono()
  .use(compressed)
  .get('/long', (c) => c.json({ LONG }))
  .get('/short', (c) => c.json({ LONG: '' }))
  .get('/log', (c) => c.text(LONG))
  .get('/file', (c) => c.body(LONG, 200, { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' }))
  .get('/part', (c) => c.body(LONG, 206, { 'content-type': 'text/plain', 'content-range': 'bytes 0-20999/40000' }))
  .get('/nothing', (c) => c.body(null, 204))
  .get('/events', (c) =>
    streamSSE(c, async (stream) => {
      await stream.writeSSE({ data: LONG })
      await new Promise((resolve) => stream.onAbort(() => resolve(undefined)))
    }),
  )
const ask = (path: string, accept = 'gzip, deflate, br') => app.request(path, { headers: { 'accept-encoding': accept } })

test.each(['/long', '/log'])('%s travels packed, and is the same after', async (path) => {
  const answer = await ask(path)
  expect(answer.headers.get('content-encoding')).toBe('gzip')
  expect(answer.headers.get('vary')).toBe('Accept-Encoding')
  const packed = Buffer.from(await answer.arrayBuffer())
  expect(packed.length).toBeLessThan(LONG.length / 20)
  expect(gunzipSync(packed).toString()).toBe(await (await ask(path, 'identity')).text())
})

test.each([
  ['what is short', '/short', 'gzip'],
  ['a file', '/file', 'gzip'],
  ['a range', '/part', 'gzip'],
  ['nothing', '/nothing', 'gzip'],
  ['what a client does not unpack', '/long', 'identity'],
])('%s travels as it is', async (_, path, accept) => {
  const answer = await ask(path, accept)
  expect(answer.headers.get('content-encoding')).toBeNull()
  const bytes = (await answer.arrayBuffer()).byteLength
  if (path !== '/part' && path !== '/file' && path !== '/nothing') expect(answer.headers.get('content-length')).toBe(String(bytes))
})

test('an event is out as soon as it is written', async () => {
  const answer = await ask('/events')
  expect(answer.headers.get('content-encoding')).toBeNull()
  const reader = answer.body?.getReader()
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('a list of many hosts')
  await reader?.cancel()
})
