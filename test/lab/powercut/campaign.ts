import { mkdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CUT_KINDS, type Cut, type CutKind } from './cuts.ts'
import { createInspector, type Findings } from './inspect.ts'
import { replay } from './replayed-disk.ts'
import { place, type Testimony } from './witness.ts'
import type { WriteLog } from './write-log.ts'

/** A machine's disk, everything it wrote, and what it promised meanwhile. */
export interface Recording {
  /** The disk before the first write; may be shorter than the disk. */
  image: string
  bytes: number
  log: WriteLog
  heard: readonly Testimony[]
  /** Version by the digest of a slot's squashfs: all systems that may be started. */
  systems: ReadonlyMap<string, string>
}

export interface Checked {
  cut: Cut
  phase: string
  findings: Findings
}

export interface CampaignReport {
  checked: Checked[]
  seconds: number
}

/** Checks every cut, in order, two at a time: the tools that look are programs of their own. */
export async function runCampaign(
  recording: Recording,
  cuts: readonly Cut[],
  { jobs = 2, progress = () => undefined }: { jobs?: number; progress?: (done: number) => void } = {},
): Promise<CampaignReport> {
  const began = performance.now()
  const scratch = await mkdtemp(join(fastDirectory(), 'bridgehead-cuts-'))
  const disk = replay(recording)
  const promises = place(recording.heard, recording.log.entries)
  const inspector = createInspector({ systems: recording.systems })
  const checked: Checked[] = []
  const free = Array.from({ length: jobs }, (_, index) => join(scratch, String(index)))
  for (const directory of free) mkdirSync(directory)
  const running = new Set<Promise<void>>()
  try {
    for (const cut of cuts) {
      while (free.length === 0) await Promise.race(running)
      const directory = free.pop() ?? scratch
      const before = promises.filter(({ entry }) => entry <= cut.at)
      const phase = before.findLast((one) => one.kind === 'phase')
      const one = inspector
        .inspect(cut, disk.cut(cut), before, directory)
        .then((findings) => {
          checked.push({ cut, phase: phase?.kind === 'phase' ? phase.name : 'before', findings })
          if (checked.length % 100 === 0) progress(checked.length)
        })
        .finally(() => {
          running.delete(one)
          free.push(directory)
        })
      running.add(one)
    }
    await Promise.all(running)
  } finally {
    await Promise.allSettled(running)
    disk.close()
    await rm(scratch, { recursive: true, force: true })
  }
  checked.sort((a, b) => a.cut.at - b.cut.at)
  return { checked, seconds: (performance.now() - began) / 1000 }
}

/** Gigabytes are written and thrown away: in memory, where the computer has a place for that. */
export function fastDirectory(): string {
  return statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir()
}

export function countBy<T>(things: readonly T[], key: (thing: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const thing of things) counts.set(key(thing), (counts.get(key(thing)) ?? 0) + 1)
  return counts
}
export const words = (counts: ReadonlyMap<string, number>): string => [...counts].map(([name, number]) => `${number} ${name}`).join(', ')

/** Lines for people: how many cuts of which kind and in which phase, what was started, what was wrong. */
export function summary({ checked, seconds }: CampaignReport): string[] {
  const number = (is: (findings: Findings) => boolean) => checked.filter(({ findings }) => is(findings)).length
  const kinds = countBy(checked, ({ cut }) => cut.kind)
  const bad = checked.filter(({ findings }) => findings.problems.length > 0)
  return [
    `${checked.length} cuts checked in ${seconds.toFixed(0)} s (${(checked.length / seconds).toFixed(1)} a second): ${words(
      new Map(CUT_KINDS.map((kind): [CutKind, number] => [kind, kinds.get(kind) ?? 0])),
    )}`,
    `in the phases: ${words(countBy(checked, ({ phase }) => phase))}`,
    `GRUB would start: ${words(countBy(checked, ({ findings }) => `${findings.version ?? 'nothing'} in ${findings.slot ?? 'no slot'}`))}`,
    `no data partition yet: ${number(({ unmade }) => unmade)}; only the last partition table whole: ${number(({ table }) => table === 'last')}; file system to mend: ${number(({ mended }) => mended.length > 0)}`,
    `wrong: ${bad.length}${bad.length > 0 ? ` (${words(countBy(bad, ({ phase }) => phase))})` : ''}`,
    ...bad.slice(0, 12).flatMap(({ phase, findings }) => findings.problems.slice(0, 3).map((text) => `  ${phase}: ${text}`)),
  ]
}
