import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import { expect } from 'vitest'
import { indexOf, makeDisk, makeSystem, manifestOf, openBucket, systemIn } from './fake-box.ts'
import { FakeMachine, stateWith, WELL } from './fake-machine.ts'

const OLD = makeSystem('1.0.0', { blocks: 6, changed: 2 })
const NEW = makeSystem('1.1.0', { blocks: 6, changed: 2 })
const SYSTEMS = [OLD, NEW]
/** A quarter of an hour takes 45 ms. */
const SPEED = 20_000
/** Where no point was passed for so long at the end of a life, none follows. */
const STILL_MS = 300

export const STORIES = ['holds', 'hangs', 'is ill'] as const
export type Story = (typeof STORIES)[number]
export type Death = 'daemon' | 'power'

/**
 * One update from a fresh card to its end, with at most one death: at point `dieAt`, the daemon's or the power's. A point stands before or
 * after a write to the store, to the loader's environment, or a word to the helper. Resolves with how many there were, and whether it died:
 * time runs on while the computer is busy, so that not each life has as many points as the one before.
 */
export async function live(
  key: PrivateKey,
  story: Story,
  dieAt?: number,
  death: Death = 'daemon',
): Promise<{ points: number; died: boolean }> {
  const directory = await mkdtemp(join(tmpdir(), 'crash-'))
  const bucket = await openBucket()
  const box = new FakeMachine({ directory, systems: SYSTEMS, bucket, keys: [key], speed: SPEED })
  try {
    bucket.put(NEW)
    bucket.put(indexOf(NEW))
    makeDisk(directory, OLD)
    if (story === 'hangs') box.hangs.add('1.1.0')
    if (story === 'is ill') box.health['1.1.0'] = { ...WELL, ok: false, services: { dns: 'silent' } }
    box.dieAt = dieAt
    let died = false
    box.onDeath = () => {
      died = true
      expect(box.nextVersion(), 'the slot that the loader would start is whole').toBeDefined()
      const back = death === 'power' ? box.on() : box.daemon()
      back.catch((error: unknown) => {
        throw error
      })
    }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
    let last = { points: 0, at: 0 }
    const isOver = () => {
      const told = box.told()
      if (box.points !== last.points) last = { points: box.points, at: performance.now() }
      if (dieAt !== undefined && !died && performance.now() - last.at < STILL_MS) return false
      const status = box.updater?.status()
      if (status?.doing !== 'idle' || status.other.state !== 'good') return false
      return story === 'holds'
        ? box.info?.version === '1.1.0'
        : told.some((line) => line.startsWith('rolled-back')) && box.info?.version === '1.0.0'
    }
    await box.until(isOver)
    expect(box.marks).toMatchObject({ A: { ok: true, tries: 0 }, B: { ok: true, tries: 0 } })
    expect(box.marks.order[0]).toBe(box.info?.slot)
    expect(systemIn(join(directory, 'slot-A'), SYSTEMS)).toBe('1.0.0')
    expect(systemIn(join(directory, 'slot-B'), SYSTEMS)).toBe(story === 'holds' ? '1.1.0' : '1.0.0')
    // what is told once stays said once, wherever the death fell
    for (const end of ['committed', 'rolled-back'])
      expect(box.told().filter((line) => line.startsWith(end)).length).toBe((story === 'holds') === (end === 'committed') ? 1 : 0)
    return { points: box.points, died }
  } finally {
    box.dieAt = undefined
    await box.off()
    await bucket.close()
    await rm(directory, { recursive: true, force: true })
  }
}
