import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { type Bucket, BucketError } from './bucket.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function all(stream: Readable): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Every bucket must pass this. `make` gives a fresh, empty one. */
export function bucketContract(make: () => Promise<Bucket>): void {
  const text = 'the quick brown fox'
  const bytes = bytesOf(text)
  const sha256 = hashOf(bytes)

  test('what is put comes back, under the sha256 of its bytes', async () => {
    const bucket = await make()
    expect(await bucket.put(bytes, { name: 'fox' })).toEqual({ sha256, bytes: 19 })
    expect(await all(await bucket.get(sha256))).toBe(text)
    expect(await bucket.head(sha256)).toEqual({ sha256, bytes: 19 })
  })

  test('a stream of pieces is one object, and nothing at all is one too', async () => {
    const bucket = await make()
    const pieces = Readable.from([bytesOf('the quick '), bytesOf('brown fox')])
    expect(await bucket.put(pieces, { name: 'fox', sha256, bytes: 19 })).toEqual({ sha256, bytes: 19 })
    const empty = await bucket.put(new Uint8Array(0), { name: 'nothing' })
    expect(empty.bytes).toBe(0)
    expect(await all(await bucket.get(empty.sha256))).toBe('')
  })

  test('the same bytes twice, at once, are one object', async () => {
    const bucket = await make()
    await Promise.all([1, 2, 3].map(() => bucket.put(bytes, { name: 'fox' })))
    expect(await listed(bucket.list())).toEqual([{ sha256, bytes: 19 }])
  })

  test.each([
    { because: 'another sha256 was expected', options: { sha256: 'f'.repeat(64) }, says: [sha256, 'f'.repeat(64), 'fox'] },
    { because: 'fewer bytes were expected', options: { bytes: 18 }, says: ['18', '19', 'fox'] },
  ])('a body is refused when $because, and leaves nothing', async ({ options, says }) => {
    const bucket = await make()
    const refusal = await bucket.put(bytes, { name: 'fox', ...options }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(BucketError)
    expect(refusal).toMatchObject({ code: 'mismatch' })
    for (const word of says) expect(String(refusal)).toContain(word)
    expect(await listed(bucket.list())).toEqual([])
  })

  test('a body that breaks off leaves nothing', async () => {
    const bucket = await make()
    const broken = (async function* () {
      yield bytesOf('the quick ')
      throw new Error('cable pulled')
    })()
    await expect(bucket.put(broken, { name: 'fox' })).rejects.toThrow('cable pulled')
    expect(await listed(bucket.list())).toEqual([])
  })

  test.each([
    { range: { start: 4, end: 8 }, is: 'quick' },
    { range: { start: 16 }, is: 'fox' },
    { range: { start: 0, end: 0 }, is: 't' },
    { range: { start: 16, end: 99 }, is: 'fox' },
  ])('bytes $range.start to $range.end are "$is"', async ({ range, is }) => {
    const bucket = await make()
    await bucket.put(bytes, { name: 'fox' })
    expect(await all(await bucket.get(sha256, range))).toBe(is)
  })

  test('a range beyond the end and an object that is not there are told apart', async () => {
    const bucket = await make()
    await bucket.put(bytes, { name: 'fox' })
    await expect(bucket.get(sha256, { start: 19 })).rejects.toMatchObject({ code: 'range' })
    await expect(bucket.get('0'.repeat(64))).rejects.toMatchObject({ code: 'missing' })
    expect(await bucket.head('0'.repeat(64))).toBeUndefined()
    await expect(bucket.get('../etc/passwd')).rejects.toMatchObject({ code: 'name' })
  })

  test('list goes by the first digits, in order; delete may be repeated', async () => {
    const bucket = await make()
    const stored: string[] = []
    for (let n = 0; n < 20; n++) stored.push((await bucket.put(bytesOf(`object ${n}`), { name: `o${n}` })).sha256)
    stored.sort()
    expect((await listed(bucket.list())).map((one) => one.sha256)).toEqual(stored)
    const prefix = stored[7]?.slice(0, 3) ?? ''
    expect((await listed(bucket.list(prefix))).map((one) => one.sha256)).toEqual(stored.filter((one) => one.startsWith(prefix)))
    for (const one of [...stored, ...stored]) await bucket.delete(one)
    expect(await listed(bucket.list())).toEqual([])
  })

  test('a document is replaced whole, listed by prefix, and gone when deleted', async () => {
    const bucket = await make()
    expect(await bucket.getDocument('recipes/one.json')).toBeUndefined()
    await bucket.putDocument('recipes/one.json', { made: 1 })
    await Promise.all([2, 3].map((made) => bucket.putDocument('recipes/one.json', { made })))
    expect([{ made: 2 }, { made: 3 }]).toContainEqual(await bucket.getDocument('recipes/one.json'))
    await bucket.putDocument('recipes/two.json', [])
    await bucket.putDocument('other/three.json', null)
    expect(await listed(bucket.listDocuments('recipes/'))).toEqual(['recipes/one.json', 'recipes/two.json'])
    await bucket.deleteDocument('recipes/one.json')
    await bucket.deleteDocument('recipes/one.json')
    expect(await bucket.getDocument('recipes/one.json')).toBeUndefined()
    expect(await listed(bucket.list())).toEqual([])
  })

  test.each(['', '/etc/passwd', '../up', 'a/../../b', 'a//b', '.hidden', 'a/.b', 'with space', 'a\0b'])(
    'document key %j is refused',
    async (key) => {
      const bucket = await make()
      await expect(bucket.putDocument(key, 1)).rejects.toMatchObject({ code: 'name' })
      await expect(bucket.getDocument(key)).rejects.toMatchObject({ code: 'name' })
    },
  )
}
