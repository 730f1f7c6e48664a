import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, onTestFinished, test } from 'vitest'
import { selfSignedIdentity } from './engines/tls/certificate.ts'
import { createListener } from './listener.ts'

const stream = () => new Blob(['kernel']).stream()
const answers: Record<string, () => Response> = {
  '/streamed': () => new Response(stream(), { headers: { 'content-length': '6', etag: '"x"' } }),
  '/part': () => new Response(stream(), { status: 206, headers: { 'content-length': '6', 'content-range': 'bytes 0-5/9' } }),
  '/text': () => new Response('kernel', { headers: { 'content-type': 'text/plain' } }),
  '/bytes': () => new Response(new TextEncoder().encode('kernel')),
}

async function listen(tls?: { key: string; cert: string }) {
  const fetch = (request: Request) => answers[new URL(request.url).pathname]?.() ?? new Response(null, { status: 404 })
  const listener = createListener({ name: 'test', host: '127.0.0.1', port: 0, variable: 'NONE', fetch, tls, log: silentLog })
  await listener.start()
  onTestFinished(() => listener.stop())
  return listener
}

/** What comes over the wire, as GRUB asks for it. */
async function raw(port: number, path: string, ca: string | undefined): Promise<string> {
  const socket = ca === undefined ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ca })
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  await once(socket, 'close')
  return text
}

for (const tls of [false, true])
  test(`an answer of known length has its Content-Length spelled so, ${tls ? 'with' : 'without'} TLS`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const identity = tls ? await selfSignedIdentity({ directory, hosts: ['127.0.0.1'], now: systemClock.now() }) : undefined
    const { port } = await listen(identity)
    for (const path of Object.keys(answers)) {
      const text = await raw(port(), path, identity?.cert)
      expect(text, path).toMatch(/\r\nContent-Length: 6\r\n/)
      expect(text.match(/content-length/gi), path).toHaveLength(1)
      expect(text, path).toMatch(/\r\n\r\nkernel$/)
    }
  })
