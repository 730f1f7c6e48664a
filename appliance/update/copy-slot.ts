import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { BLOCK_BYTES } from '@bridgehead/shared/model/release.ts'
import { eachBlock, readBack, readFully, readHead, SlotError, writeFully } from './slot-file.ts'

/** The system that runs is not what it was: nothing is copied from it. */
export class RunningSlotRotten extends Error {
  readonly code = 'running_slot_rotten'
}

export interface SlotCopy {
  from: string
  to: string
  /** Size of the slot that is written. */
  toBytes: number
  /** What the running slot was known to hold, if its head is still the same. */
  expected: { sha256: string; bytes: number } | undefined
  clock: Clock
  signal: AbortSignal
}

/** A pause after each MiB keeps the disk free for leases: about 10 MiB/s at most. */
const PIECE_BLOCKS = 16
const PAUSE_MS = 100
const SYNC_BLOCKS = 256

/**
 * Makes `to` equal to the squashfs in `from`, and reads it back from the medium. Only blocks that differ are written, so a copy that was
 * ended at any point goes on where it was. Throws RunningSlotRotten, SlotError, or what the disk throws.
 */
export async function copySlot({
  from,
  to,
  toBytes,
  expected,
  clock,
  signal,
}: SlotCopy): Promise<{ sha256: string; bytes: number; head: string }> {
  const head = await readHead(from)
  if (!head) throw new RunningSlotRotten('the running slot does not begin with a squashfs')
  if (head.bytes > toBytes) throw new SlotError(`takes ${toBytes} bytes; the running system has ${head.bytes}`)
  const whole = createHash('sha256')
  const source = await open(from, 'r')
  try {
    const target = await open(to, 'r+')
    try {
      const there = Buffer.allocUnsafe(BLOCK_BYTES)
      await eachBlock(source, head.bytes, signal, async (block, index) => {
        const at = index * BLOCK_BYTES
        if (block === undefined) throw new RunningSlotRotten(`the medium does not give back what lies at byte ${at} of the running slot`)
        whole.update(block)
        const got = await readFully(target, there, block.length, at)
        if (got === undefined || !there.subarray(0, got).equals(block)) await writeFully(target, block, at)
        if (index % SYNC_BLOCKS === SYNC_BLOCKS - 1) await target.datasync()
        if (index % PIECE_BLOCKS === PIECE_BLOCKS - 1) await clock.sleep(PAUSE_MS, signal)
      })
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
  const sha256 = whole.digest('hex')
  if (expected && expected.bytes === head.bytes && expected.sha256 !== sha256)
    throw new RunningSlotRotten(`the running slot has the sha256 ${sha256}; it had ${expected.sha256}`)
  const found = await digestSlowly(to, head.bytes, clock, signal)
  if (found !== sha256) throw new SlotError(`read back from the medium, the copy has the sha256 ${found} instead of ${sha256}`)
  return { sha256, ...head }
}

/** The sha256 of the first `bytes` as they lie on the medium, read without haste. */
export function digestSlowly(device: string, bytes: number, clock: Clock, signal: AbortSignal): Promise<string> {
  return readBack(device, bytes, signal, async (_, index) => {
    if (index % PIECE_BLOCKS === PIECE_BLOCKS - 1) await clock.sleep(PAUSE_MS, signal)
  })
}
