import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { planCuts, seeded } from './cuts.ts'
import { replay } from './replayed-disk.ts'
import { encodeLog, openWriteLog } from './write-log.ts'

const directory = mkdtempSync(join(tmpdir(), 'bridgehead-replay-'))
afterAll(() => rmSync(directory, { recursive: true }))

const DISK_BYTES = 200_704 // three chunks and a bit
const random = seeded(11)
const image = join(directory, 'image')
const initial = Buffer.alloc(150_000, 'image')
writeFileSync(image, initial)
const orders = Array.from({ length: 120 }, (_, index) => {
  const sectors = 1 + Math.floor(random() * 200)
  const offset = Math.floor(random() * (DISK_BYTES / 512 - sectors)) * 512
  return index % 7 === 6 ? ('flush' as const) : { offset, bytes: new Uint8Array(sectors * 512).fill(index + 1) }
})
const file = join(directory, 'log')
writeFileSync(file, encodeLog(orders))

test('each cut is the image, all that was durable, and what it kept: as a plain array says', () => {
  const log = openWriteLog(file)
  const disk = replay({ image, bytes: DISK_BYTES, log })
  const cuts = planCuts(log.entries, { count: 200, random })
  for (const cut of cuts) {
    const plain = Buffer.alloc(DISK_BYTES)
    initial.copy(plain)
    const apply = (index: number, bytes?: number) => {
      const order = orders[index]
      if (order !== undefined && order !== 'flush') plain.set(order.bytes.subarray(0, bytes), order.offset)
    }
    for (let index = 0; index < cut.durable; index++) apply(index)
    cut.kept.forEach((index, nth) => apply(index, nth === cut.kept.length - 1 ? cut.tornBytes : undefined))
    const left = disk.cut(cut)
    expect(left.read(0, DISK_BYTES).equals(plain)).toBe(true)
    expect(left.read(70_001, 66_000).equals(plain.subarray(70_001, 136_001))).toBe(true)
    left.copyTo(join(directory, 'copy'), { offset: 512, bytes: 140_288 })
    expect(readFileSync(join(directory, 'copy')).equals(plain.subarray(512, 140_800))).toBe(true)
  }
  disk.close()
  log.close()
})

test('a region keeps its stamp until something is written there', () => {
  const path = join(directory, 'small')
  const at = (offset: number) => ({ offset, bytes: new Uint8Array(512) })
  writeFileSync(path, encodeLog([at(0), 'flush', at(131_072), 'flush', at(512), 'flush']))
  const log = openWriteLog(path)
  const disk = replay({ image, bytes: DISK_BYTES, log })
  const region = { offset: 0, bytes: 65_536 }
  const stamp = (durable: number, kept: number[] = []) =>
    disk.cut({ kind: 'prefix', durable, at: durable + kept.length, kept }).stampOf(region)
  const stamps = [stamp(0), stamp(0, [0]), stamp(2), stamp(2, [2]), stamp(4), stamp(4, [4]), stamp(6)]
  expect(new Set(stamps).size).toBe(5)
  expect(new Set(stamps.slice(2, 5)).size).toBe(1)
  expect(() => disk.cut({ kind: 'flush', durable: 2, at: 2, kept: [] })).toThrow(RangeError)
  disk.close()
  log.close()
})
