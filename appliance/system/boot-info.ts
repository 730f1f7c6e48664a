import { readFileSync } from 'node:fs'
import { z } from 'zod'

export const Slot = z.enum(['A', 'B'])
export type Slot = z.infer<typeof Slot>

const SlotDevice = z.object({ device: z.string(), bytes: z.int().positive() })

/** `/run/bridgehead/boot.json`: what the box found out about itself before the daemon began. Written by rcS, once a boot. */
export const BootInfo = z.object({
  board: z.string(),
  /** The slot that runs. */
  slot: Slot,
  /** Of the running slot's `release.json`. */
  version: z.string(),
  /** Whole disk, such as `/dev/sda`. */
  disk: z.string(),
  /** The FAT partition, mounted read-only on `/boot`. */
  boot: z.string(),
  slots: z.object({ A: SlotDevice, B: SlotDevice }),
  /** GRUB's environment block: 1024 bytes. */
  env: z.object({ path: z.string() }),
  config: z.string(),
  /** `memory`: /data is a tmpfs, because the partition could not be mounted; `read-only`: it holds what it held. `ok` with a reason: was mended. */
  data: z.object({ device: z.string().nullish(), state: z.enum(['ok', 'memory', 'read-only']), why: z.string().optional() }),
  /** Character device of the hardware watchdog, writable for the daemon; null where the board has none. */
  watchdog: z.string().nullish(),
  /** Terminals that show the screen. */
  consoles: z.array(z.string()).default([]),
  /** Slots that GRUB had to pass over this time. */
  tried: z.array(Slot).default([]),
})
export type BootInfo = z.infer<typeof BootInfo>

export const BOOT_INFO = '/run/bridgehead/boot.json'

/** Throws, with path and field, when the file is missing or does not fit: rcS and daemon come from one slot, so that is a defect. */
export function readBootInfo(path = BOOT_INFO): BootInfo {
  const parsed = BootInfo.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`, { cause: parsed.error })
  return parsed.data
}
