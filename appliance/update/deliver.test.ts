import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_BYTES } from '@bridgehead/shared/model/release.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deliver, type Progress } from './deliver.ts'
import { type Bucket, indexOf, makeDisk, makeSystem, manifestOf, openBucket, refOf, SLOT_BYTES } from './fake-box.ts'
import { coalesce } from './ranges.ts'
import { eachBlock, readBack, readHead } from './slot-file.ts'

describe('requests', () => {
  for (const { blocks, max, ranges } of [
    { blocks: [], ranges: [] },
    { blocks: [0], ranges: ['0-0'] },
    { blocks: [0, 1, 2, 9], ranges: ['0-2', '9-9'] },
    { blocks: [0, 2, 5], ranges: ['0-2', '5-5'] }, // one block in between costs less than a request
    { blocks: [0, 5, 8, 20], max: 3, ranges: ['0-0', '5-8', '20-20'] },
    { blocks: [0, 5, 8, 20], max: 1, ranges: ['0-20'] },
  ])
    test(`for ${blocks.join(' ') || 'nothing'} are ${ranges.join(' ') || 'none'}`, () =>
      expect(coalesce(blocks, max).map(({ from, to }) => `${from}-${to}`)).toEqual(ranges))

  test('are never more than allowed, and cover all blocks', () => {
    const blocks = Array.from({ length: 2_560 }, (_, block) => block).filter((block) => (block * 7_919) % 11 < 3)
    for (const max of [1, 10, 128, 500]) {
      const ranges = coalesce(blocks, max)
      expect(ranges.length).toBeLessThanOrEqual(max)
      expect(blocks.every((block) => ranges.some(({ from, to }) => from <= block && block <= to))).toBe(true)
    }
  })
})

describe('a delivery', () => {
  const OLD = makeSystem('1.0.0')
  const NEW = makeSystem('1.1.0')
  const manifest = manifestOf('1.1.0', NEW)
  let directory = ''
  let bucket: Bucket
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'deliver-'))
    makeDisk(directory, OLD)
    bucket = await openBucket()
    bucket.put(NEW)
    bucket.put(indexOf(NEW))
  })
  afterEach(async () => {
    await bucket.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const target = () => join(directory, 'slot-B')
  const run = (change: { manifest?: typeof manifest; signal?: AbortSignal; progress?: (now: Progress) => void } = {}) =>
    deliver({
      ...{ manifest, source: bucket.source, running: join(directory, 'slot-A'), prepare: async () => target() },
      ...{ signal: new AbortController().signal, progress: () => undefined, ...change },
    })
  const holdsNew = () => readFileSync(target()).subarray(0, NEW.length).equals(NEW)

  test('fetches the index and the blocks that the running slot lacks, no byte more', async () => {
    const done = await run()
    expect(holdsNew()).toBe(true)
    const own = 5 * BLOCK_BYTES + (NEW.length % BLOCK_BYTES) // the first block and the last five, of which one is short
    expect(bucket.sent()).toEqual({
      bytes: own + manifest.blocks.bytes,
      requests: 3,
      ranges: ['all', 'bytes=0-65535', `bytes=${27 * BLOCK_BYTES}-${NEW.length - 1}`],
    })
    expect(done).toEqual({ bytes: NEW.length, total: NEW.length, fetched: own + manifest.blocks.bytes })
  })

  test('takes blocks of the running slot that lie elsewhere there', async () => {
    const moved = Buffer.concat([
      NEW.subarray(0, BLOCK_BYTES),
      OLD.subarray(5 * BLOCK_BYTES, 9 * BLOCK_BYTES),
      OLD.subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES),
    ])
    bucket.put(moved)
    bucket.put(indexOf(moved))
    await run({ manifest: manifestOf('1.1.0', moved) })
    expect(readFileSync(target()).subarray(0, moved.length).equals(moved)).toBe(true)
    expect(bucket.sent().bytes).toBe(BLOCK_BYTES + indexOf(moved).length)
  })

  test('that is there already costs the index alone', async () => {
    await run()
    bucket.reset()
    await run()
    expect(bucket.sent()).toMatchObject({ bytes: manifest.blocks.bytes, requests: 1 })
  })

  test('goes on where the last one was ended, at any block', async () => {
    let total = 0
    for (let ends = 0; ends < 40; ends++) {
      const ending = new AbortController()
      let seen = 0
      const done = await run({
        signal: ending.signal,
        progress: () => {
          if (++seen === 4) ending.abort()
        },
      }).then(
        () => true,
        () => false,
      )
      total = bucket.sent().bytes
      if (done) break
    }
    expect(holdsNew()).toBe(true)
    expect(total).toBeLessThan(NEW.length)
  })

  test('over a line that breaks every 100,000 bytes arrives', async () => {
    bucket.breakAfter(100_000)
    for (let tries = 0; tries < 20 && !holdsNew(); tries++)
      await run().catch((error: Error) => expect(error.message).toMatch(/connection (broke|ended)/))
    expect(holdsNew()).toBe(true)
  })

  test('from a source without ranges takes what it needs on the way', async () => {
    bucket.withoutRanges(true)
    await run()
    expect(holdsNew()).toBe(true)
  })

  test('whose source sends other bytes is refused at the block, and the slot holds nothing of them', async () => {
    const wrong = Buffer.from(NEW)
    wrong.fill(1, 29 * BLOCK_BYTES)
    bucket.put(wrong, manifest.slot.sha256)
    await expect(run()).rejects.toThrow(`byte ${29 * BLOCK_BYTES} and on: the source sends other bytes than the release promises`)
    expect(readFileSync(target()).includes(Buffer.alloc(BLOCK_BYTES, 1))).toBe(false)
  })

  for (const { index, put, why } of [
    { index: 'with another sha256', put: (right: Buffer) => Buffer.alloc(right.length), why: 'its index has another sha256 than promised' },
    { index: 'that is too long', put: (right: Buffer) => Buffer.concat([right, right]), why: 'its index has more than the promised' },
    { index: 'that is too short', put: (right: Buffer) => right.subarray(0, 40), why: 'the index ended at byte 40 of' },
  ])
    test(`with an index ${index} never touches the slot`, async () => {
      const before = readFileSync(target())
      bucket.put(put(indexOf(NEW)), manifest.blocks.sha256)
      await expect(run()).rejects.toThrow(why)
      expect(readFileSync(target()).equals(before)).toBe(true)
    })

  test('whose blocks are right and whose whole is not is found by the read-back', async () => {
    await expect(run({ manifest: { ...manifest, slot: { ...manifest.slot, sha256: refOf(OLD, 'x').sha256 } } })).rejects.toThrow(
      /does not have it \(404\)/,
    )
    bucket.put(NEW, refOf(OLD, 'x').sha256)
    await expect(run({ manifest: { ...manifest, slot: { ...manifest.slot, sha256: refOf(OLD, 'x').sha256 } } })).rejects.toThrow(
      'read back from the medium',
    )
  })

  test('to a device that is too small says where it ends', async () => {
    writeFileSync(target(), Buffer.alloc(BLOCK_BYTES * 3 + 10))
    await expect(run()).rejects.toThrow(`the slot's device ends at byte ${BLOCK_BYTES * 3 + 10}, before its ${NEW.length}`)
  })

  test('is read back past the page cache, whole pages at a time', async () => {
    await run()
    let blocks = 0
    const signal = new AbortController().signal
    expect(await readBack(target(), NEW.length, signal, () => void blocks++)).toBe(manifest.slot.sha256)
    expect(blocks).toBe(32)
    const odd = join(directory, 'odd')
    writeFileSync(odd, Buffer.alloc(70_001, 7))
    expect(await readBack(odd, 70_001, signal)).toBe(refOf(Buffer.alloc(70_001, 7), 'odd').sha256)
    await expect(readBack(odd, 80_000, signal)).rejects.toThrow('ends at byte 70001, before its 80000')
  })
})

test('the head of a slot tells systems apart, and rubbish from systems', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'head-'))
  const path = join(directory, 'slot')
  const head = async (bytes: Buffer) => {
    writeFileSync(path, bytes)
    return readHead(path)
  }
  try {
    const one = await head(Buffer.concat([makeSystem('1.0.0'), Buffer.alloc(10_000)]))
    const two = await head(makeSystem('1.1.0', { tail: 8192 }))
    expect(one?.bytes).toBe(makeSystem('1.0.0').length)
    expect(one?.head).not.toBe(two?.head)
    for (const rubbish of [Buffer.alloc(0), Buffer.alloc(50), Buffer.alloc(SLOT_BYTES), Buffer.from('hsqs'.padEnd(96, '\xff'), 'latin1')])
      expect(await head(rubbish)).toBeUndefined()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a block that the medium does not give back is told from one that is there, and from the end', async () => {
  const medium = (failsAt: number) => ({
    async read(buffer: Uint8Array, offset: number, length: number, position: number) {
      if (position === failsAt) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' })
      const bytesRead = Math.max(0, Math.min(length, 3 * BLOCK_BYTES - position, 10_000))
      buffer.fill(position / BLOCK_BYTES, offset, offset + bytesRead)
      return { bytesRead, buffer }
    },
  })
  const seen = async (bytes: number, failsAt: number) => {
    const blocks: string[] = []
    await eachBlock(
      medium(failsAt) as Parameters<typeof eachBlock>[0],
      bytes,
      new AbortController().signal,
      (block) => void blocks.push(block ? `${block.length}` : 'lost'),
    )
    return blocks
  }
  expect(await seen(150_000, -1)).toEqual(['65536', '65536', '18928'])
  expect(await seen(150_000, BLOCK_BYTES)).toEqual(['65536', 'lost', '18928'])
  expect(await seen(150_000, BLOCK_BYTES + 10_000)).toEqual(['65536', 'lost', '18928'])
  await expect(seen(4 * BLOCK_BYTES, -1)).rejects.toThrow('ends at byte 196608, before its 262144')
})
