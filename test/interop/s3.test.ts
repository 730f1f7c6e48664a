import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { bucketContract } from '@bridgehead/manager/engines/bucket/bucket.contract.ts'
import { createS3Bucket } from '@bridgehead/manager/engines/bucket/s3.ts'
import { parseS3Url } from '@bridgehead/manager/engines/bucket/s3-url.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { Client } from 'minio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import { type S3Server, startSwift } from './s3-server.ts'

let directory: string
let s3: S3Server
let front: Front
let count = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-s3-'))
  s3 = await startSwift(directory)
  await s3.make('artifacts')
  front = await startFront(s3.port)
})
afterAll(async () => {
  front?.server.close()
  await s3?.stop()
  await rm(directory, { recursive: true })
})

/** What was asked of the server, and a way to cut the line. */
interface Front {
  server: Server
  port: number
  seen: { method: string; path: string; headers: IncomingHttpHeaders }[]
  /** Cuts the next PUT after so many bytes of its body. */
  cutAfter?: number | undefined
}

async function startFront(target: number): Promise<Front> {
  const port = await freePort()
  const server = createServer((ask, answer) => {
    front.seen.push({ method: ask.method ?? '', path: ask.url ?? '', headers: ask.headers })
    const cut = ask.method === 'PUT' ? front.cutAfter : undefined
    if (cut !== undefined) front.cutAfter = undefined
    const onward = request({ agent: false, port: target, method: ask.method, path: ask.url, headers: ask.headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 0, reply.headers)
      reply.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    let passed = 0
    ask.on('data', (chunk: Buffer) => {
      passed += chunk.length
      if (cut === undefined || passed < cut) return
      onward.destroy()
      ask.destroy()
    })
    ask.pipe(onward)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { server, port, seen: [] }
}

const environment = () => ({ AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey })
function freshBucket({ env = environment(), port = s3.port }: { env?: Record<string, string>; port?: number } = {}) {
  const prefix = `test-${count++}/`
  const place = parseS3Url(`http://127.0.0.1:${port}/artifacts/${prefix}`, env)
  return { prefix, bucket: createS3Bucket({ ...place, temporary: join(directory, 'tmp'), clock: systemClock }) }
}

bucketContract(async () => freshBucket().bucket)

const MIB = 1024 * 1024
/** `mebibytes` of bytes, the same each time. */
async function* pieces(mebibytes: number): AsyncIterable<Uint8Array> {
  for (let n = 0; n < mebibytes; n++) yield Buffer.alloc(MIB, createHash('sha256').update(String(n)).digest())
}
async function hashOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of body) hash.update(piece)
  return hash.digest('hex')
}
const bodyOf = (mebibytes: number) => Readable.from(pieces(mebibytes))

test('a long stream of unknown size goes up in one PUT of known size, and comes back whole', async () => {
  const { bucket, prefix } = freshBucket({ port: front.port })
  front.seen = []
  const expected = await hashOf(bodyOf(40))
  const stored = await bucket.put(bodyOf(40), { name: 'disk.img' })
  expect(stored).toEqual({ sha256: expected, bytes: 40 * MIB })
  expect(await hashOf(await bucket.get(expected))).toBe(expected)
  const [put, ...others] = front.seen.filter((one) => one.method !== 'GET')
  expect(others).toEqual([])
  expect(put?.path).toBe(`/artifacts/${prefix}objects/${expected}`)
  expect(put?.headers).toMatchObject({
    'content-length': String(40 * MIB),
    'x-amz-meta-sha256': expected,
    'x-amz-content-sha256': expected,
  })
  expect(await readdir(join(directory, 'tmp'))).toEqual([])
})

test('no request has a Content-Type: patched servers refuse one that is not signed, and the client never signs it', async () => {
  const { bucket } = freshBucket({ port: front.port })
  front.seen = []
  const { sha256 } = await bucket.put(Buffer.from('loader'), { name: 'loader' })
  await bucket.putDocument('recipes/one.json', { made: 1 })
  await bucket.put(bodyOf(1), { name: 'disk.img' })
  await bucket.delete(sha256)
  expect(front.seen.map((one) => one.method)).toEqual(['PUT', 'PUT', 'PUT', 'DELETE'])
  expect(front.seen.filter((one) => one.headers['content-type'] !== undefined)).toEqual([])
})

test('a line cut in mid-body leaves nothing to be seen, and is tried again', async () => {
  const { bucket } = freshBucket({ port: front.port })
  front.seen = []
  front.cutAfter = 3 * MIB
  const putting = bucket.put(bodyOf(20), { name: 'disk.img' })
  await expect.poll(() => front.cutAfter, { interval: 5 }).toBeUndefined()
  expect((await bucket.list()[Symbol.asyncIterator]().next()).done).toBe(true)
  const { sha256 } = await putting
  expect(front.seen.filter((one) => one.method === 'PUT')).toHaveLength(2)
  expect(await hashOf(await bucket.get(sha256))).toBe(sha256)
})

test('bytes that were spoilt in the bucket are not taken for good', async () => {
  const { bucket, prefix } = freshBucket()
  const { sha256 } = await bucket.put(Buffer.from('the right loader'), { name: 'loader' })
  const intruder = new Client({
    endPoint: '127.0.0.1',
    port: s3.port,
    useSSL: false,
    accessKey: s3.accessKey,
    secretKey: s3.secretKey,
    region: 'us-east-1',
  })
  await intruder.putObject('artifacts', `${prefix}objects/${sha256}`, Buffer.from('the wrong loader'))
  const reading = hashOf(await bucket.get(sha256))
  await expect(reading).rejects.toMatchObject({ code: 'mismatch' })
})

test('a presigned URL is good for anybody, for parts too, until it was changed or has expired', async () => {
  const { bucket } = freshBucket()
  const { sha256 } = await bucket.put(Buffer.from('0123456789'), { name: 'digits' })
  const url = await bucket.presign(sha256, { expiresSeconds: 60, name: 'digits.img' })
  const whole = await fetch(url)
  expect([whole.status, await whole.text(), whole.headers.get('content-disposition')]).toEqual([
    200,
    '0123456789',
    'attachment; filename="digits.img"',
  ])
  const part = await fetch(url, { headers: { range: 'bytes=2-4' } })
  expect([part.status, await part.text()]).toEqual([206, '234'])
  expect((await fetch(url.replace('digits', 'others'))).status).toBe(403)
  expect((await fetch(url.replace(/\?.*/, ''))).ok).toBe(false)
  const short = await bucket.presign(sha256, { expiresSeconds: 1 })
  await systemClock.sleep(2_100)
  expect((await fetch(short)).status).toBe(403)
  await expect(bucket.presign(sha256, { expiresSeconds: 8 * 86_400 })).rejects.toThrow('604800')
  await expect(bucket.presign(sha256, { expiresSeconds: 60, name: 'a"b' })).rejects.toThrow('name')
})

test('a wrong secret is refused by the server, and no error repeats it', async () => {
  const { bucket } = freshBucket({ env: { ...environment(), AWS_SECRET_ACCESS_KEY: 'guessed-secret' } })
  const refusal = await bucket.putDocument('a.json', 1).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'SignatureDoesNotMatch' })
  expect(JSON.stringify(refusal) + String((refusal as Error).stack)).not.toContain('guessed-secret')
})
