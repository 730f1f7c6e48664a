import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SLOTS } from '@bridgehead/shared/boot/slots.ts'
import { z } from 'zod'
import { type BootFacts, checkBoot, findEnv, marksAt, slotDigest } from './boot-check.ts'
import type { Cut } from './cuts.ts'
import { checkData, type DataFacts } from './data-check.ts'
import { readTable } from './gpt.ts'
import type { CutDisk, Region } from './replayed-disk.ts'
import { broken, readStore, type StoreFacts } from './store-check.ts'
import { allowedVersions, anyPromised, type Testimony } from './witness.ts'

/** What a cut left. No problems: the box goes on from here. */
export interface Findings {
  problems: string[]
  /** The version that GRUB would start. */
  version: string | undefined
  slot: 'A' | 'B' | undefined
  /** There is no file system for data yet, and nobody had been promised anything: the next start makes it. */
  unmade: boolean
  /** What the start of the box has to mend in its file system. */
  mended: string[]
  /** It knows its site. */
  member: boolean
  /** Leases and facts that are written down. */
  kept: number
  /** Which partition table counted. */
  table: 'first' | 'last' | undefined
}

export interface InspectorOptions {
  /** Version by the digest of a slot's squashfs: all systems that may be started. */
  systems: ReadonlyMap<string, string>
}

/** Looks at replayed disks. What did not change since one of the last cuts is not looked at again. */
export interface Inspector {
  /** Copies what it needs from `disk` at once, into `directory`; the promise is about the copies. `promises`: all made before the cut. */
  inspect(cut: Cut, disk: CutDisk, promises: readonly Testimony[], directory: string): Promise<Findings>
}

interface DataSide extends DataFacts {
  content: StoreFacts | undefined
  signingKey: string | undefined
}

export function createInspector({ systems }: InspectorOptions): Inspector {
  const boots = remember<Promise<BootFacts>>(8)
  const digests = remember<string | undefined>(8)
  let envPlace: number | undefined
  const datas = remember<Promise<DataSide>>(4)
  return {
    async inspect(cut, disk, promises, directory) {
      const table = readTable(disk)
      const nothing = { version: undefined, slot: undefined, unmade: false, mended: [], member: false, kept: 0, table: table?.from }
      if (!table) return { ...nothing, problems: ['no partition table can be read'] }
      const part = (name: string) => table.partitions.get(name) ?? { offset: 0, bytes: 0 }
      const missing = ['boot', 'slot-a', 'slot-b'].filter((name) => !table.partitions.has(name))
      if (missing.length > 0) return { ...nothing, problems: [`partitions are missing: ${missing.join(', ')}`] }

      const promised = anyPromised(promises)
      const bootFile = join(directory, 'boot.fat')
      const boot = boots(disk.stampOf(part('boot')), () => {
        disk.copyTo(bootFile, part('boot'))
        return checkBoot(bootFile)
      })
      const slots = { A: part('slot-a'), B: part('slot-b') }
      const digest = (slot: Region) => digests(`${slot.offset}:${disk.stampOf(slot)}`, () => slotDigest(disk, slot))
      envPlace ??= findEnv(disk, part('boot'))
      const marked = marksAt(disk, envPlace) // now, while the disk is this cut's
      const found = new Map(SLOTS.filter((slot) => marked.includes(slot)).map((slot) => [slot, systems.get(digest(slots[slot]) ?? '')]))
      const data = datas(`${promised}${JSON.stringify(part('data'))}${disk.stampOf(part('data'))}`, () =>
        dataSide(disk, part('data'), directory, !promised),
      )

      const [{ choice, problems: bootProblems, config, kernelTrustsLastTable }, side] = await Promise.all([boot, data])
      const version = found.get(choice.slot)
      const problems = [...bootProblems]
      for (const [slot, system] of found)
        if (system === undefined && slot !== choice.slot) problems.push(`slot ${slot} is marked whole, and holds no known system`)
      if (table.from === 'last' && !kernelTrustsLastTable)
        problems.push('the first partition table is torn, and the kernel is not told to look at the last')
      if (version === undefined) problems.push(`GRUB would start slot ${choice.slot} (${choice.why}), which holds no known system`)
      const unmade = !promised && side.state === 'none'
      if (promised && side.state === 'none') problems.push('the data partition has no file system, and somebody was promised something')
      problems.push(...side.problems, ...broken(promises, side.content))
      if (tokenIn(config) === undefined && side.content?.member === undefined) problems.push('neither a token nor a membership is left')
      for (const one of promises) {
        if (one.kind === 'key' && one.x !== side.signingKey)
          problems.push(`the manager knows the key ${one.x}, and the box has ${side.signingKey ?? 'none'}`)
      }
      const allowed = allowedVersions(promises)
      if (version !== undefined && !allowed.has(version))
        problems.push(`${version} would be started, and only ${[...allowed].join(', ')} may be`)
      const kept = (side.content?.leases.size ?? 0) + (side.content?.events.size ?? 0)
      return {
        problems: problems.map((text) => `${text} [${cut.kind} at ${cut.at}]`),
        version,
        slot: choice.slot,
        unmade,
        mended: side.mended,
        member: side.content?.member !== undefined,
        kept,
        table: table.from,
      }
    },
  }
}

const EXT_SUPERBLOCK = { offset: 1024, bytes: 1024 } as const

async function dataSide(disk: CutDisk, part: Region, directory: string, force: boolean): Promise<DataSide> {
  if (part.bytes === 0)
    return { state: 'none', problems: [], mended: [], store: undefined, key: undefined, content: undefined, signingKey: undefined }
  const file = join(directory, 'data.ext4')
  const superblock = disk.read(part.offset + EXT_SUPERBLOCK.offset, EXT_SUPERBLOCK.bytes)
  disk.copyTo(file, part) // before anything is awaited: the disk goes on
  const facts = await checkData(file, { directory, superblock, force })
  const side: DataSide = { ...facts, content: undefined, signingKey: undefined }
  try {
    if (facts.key !== undefined) side.signingKey = Key.parse(JSON.parse(readFileSync(facts.key, 'utf8'))).x
    if (facts.store !== undefined) side.content = readStore(facts.store)
  } catch (error) {
    side.problems = [...side.problems, `store: ${error instanceof Error ? error.message : String(error)}`]
  }
  return side
}
const Key = z.looseObject({ x: z.string() })

/** Undefined where there is none, or where the text is half of one and half of another: then the box must know its site. */
function tokenIn(config: string): string | undefined {
  try {
    return Config.parse(JSON.parse(config)).token
  } catch {
    return undefined // half-written text is one of the things that a cut leaves
  }
}
const Config = z.looseObject({ token: z.string().optional() })

/** Keeps the results for the last `size` keys. */
function remember<T>(size: number): (key: string, make: () => T) => T {
  const known = new Map<string, T>()
  return (key, make) => {
    if (known.has(key)) return known.get(key) as T
    const made = make()
    known.set(key, made)
    for (const old of known.keys()) {
      if (known.size <= size) break
      known.delete(old)
    }
    return made
  }
}
