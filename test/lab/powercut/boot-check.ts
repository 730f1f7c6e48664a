import { createHash } from 'node:crypto'
import {
  decodeGrubEnv,
  ENV_BYTES,
  type GrubEnv,
  marksOf,
  SLOTS,
  type SlotChoice,
  type SlotName,
  slotToBoot,
} from '@bridgehead/shared/boot/slots.ts'
import { WireError } from '@bridgehead/shared/wire/errors.ts'
import type { CutDisk, Region } from './replayed-disk.ts'
import { runTool } from './tool.ts'

/** What the boot partition says after a cut. */
export interface BootFacts {
  problems: string[]
  env: GrubEnv | undefined
  choice: SlotChoice
  /** `bridgehead.json`, as it lies there. */
  config: string
  /** "gpt" is on its command line. */
  kernelTrustsLastTable: boolean
}

/** `file`: a copy of the FAT partition. */
export async function checkBoot(file: string): Promise<BootFacts> {
  const problems: string[] = []
  const fsck = await runTool(['fsck.fat', '-n', file])
  const complaints = fatComplaints(fsck.text)
  if (fsck.code > 1 || complaints.length > 0) problems.push(`fsck.fat: ${complaints.join(' ') || fsck.text}`)
  const [envFile, configFile, script] = await Promise.all(
    ['grub/grubenv', 'bridgehead.json', 'grub/grub.cfg'].map((path) => fileIn(file, path)),
  )
  let env: GrubEnv | undefined
  if (envFile?.length !== ENV_BYTES) problems.push(`grubenv has ${envFile?.length ?? 'no'} bytes`)
  else
    try {
      env = decodeGrubEnv(envFile)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      problems.push(`grubenv: ${error.message}`)
    }
  const choice = slotToBoot(env)
  if (choice.damaged) problems.push(`GRUB would start nothing: ${choice.why}`)
  if (!configFile) problems.push('bridgehead.json is missing')
  const kernelTrustsLastTable = /^\s*(if )?linux .* gpt[ \n]/m.test(script?.toString() ?? '')
  return { problems, env, choice, config: configFile?.toString() ?? '', kernelTrustsLastTable }
}

/**
 * What `fsck.fat -n` says, without what is no damage: a set dirty bit (the partition was mounted for writing, and the next mount takes
 * it), the backup of the boot sector that has none, and the words around both.
 */
export function fatComplaints(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !HARMLESS.some((pattern) => pattern.test(line)))
}
const HARMLESS = [
  /^fsck\.fat \d/,
  /: \d+ files, \d+\/\d+ clusters$/,
  /^Dirty bit is set\. Fs was not properly unmounted and some data may be corrupt\.$/,
  /^Automatically removing dirty bit\.$/,
  /^Leaving filesystem unchanged\.$/,
  /^There are differences between boot sector and its backup\.$/,
  /^This is mostly harmless\. Differences: \(offset:original\/backup\)$/,
  /^65:01\/00$/,
  /^Not automatically fixing this\.$/,
]

async function fileIn(image: string, path: string): Promise<Buffer | undefined> {
  const { code, bytes } = await runTool(['mcopy', '-n', '-i', image, `::${path}`, '-'])
  return code === 0 ? bytes : undefined
}

/**
 * What tells one system from another: the checksum of a slot's squashfs, as long as its superblock says. Undefined where none begins.
 *
 *   "hsqs" | ... | bytes used u64 (40) | ...        (Linux, Documentation/filesystems/squashfs.rst)
 */
export function slotDigest(disk: Pick<CutDisk, 'read'>, slot: Region): string | undefined {
  const head = disk.read(slot.offset, 96)
  if (head.toString('latin1', 0, 4) !== 'hsqs') return undefined
  const used = Number(head.readBigUInt64LE(40))
  if (used > slot.bytes) return undefined
  const hash = createHash('sha256')
  for (let at = 0; at < used; at += STEP) hash.update(disk.read(slot.offset + at, Math.min(STEP, used - at)))
  return hash.digest('hex')
}
const STEP = 1 << 20

/** Where `grubenv` lies: it never moves. */
export function findEnv(disk: CutDisk, boot: Region): number {
  const bytes = disk.read(boot.offset, boot.bytes)
  const signature = '# GRUB Environment Block\n'
  for (let at = bytes.indexOf(signature); at >= 0; at = bytes.indexOf(signature, at + 1)) if (at % 512 === 0) return boot.offset + at
  throw new Error('no GRUB environment on the boot partition')
}

/** The slots that somebody may start: the one that GRUB would choose, and those that are marked whole. */
export function marksAt(disk: CutDisk, place: number): SlotName[] {
  let env: GrubEnv | undefined
  try {
    env = decodeGrubEnv(disk.read(place, ENV_BYTES))
  } catch (error) {
    if (!(error instanceof WireError)) throw error // an unreadable one is told by the look at the files
  }
  const marks = env && marksOf(env)
  const chosen = slotToBoot(env).slot
  return SLOTS.filter((slot) => slot === chosen || marks?.[slot].ok)
}
