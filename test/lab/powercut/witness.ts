import { statSync } from 'node:fs'
import type { LogEntry } from './write-log.ts'

/** Something that the outside was promised: it must be on the disk after every later cut. */
export type Promised =
  /** A DHCPACK on the wire. `until`: epoch ms, by the clock of who heard it. */
  | { kind: 'lease'; mac: string; ip: string; until: number }
  /** A fact that the manager has. */
  | { kind: 'event'; id: string }
  /** The manager gave the site to this box, which had this signing key. */
  | { kind: 'key'; x: string }
  | { kind: 'member'; site: string }
  /** Which version may be started from now on: this one too, this one alone, or this one no more. */
  | { kind: 'version'; version: string; now: 'may' | 'must' | 'not' }
  /** A part of the recording begins; nothing is promised by it. */
  | { kind: 'phase'; name: string }

/** `logBytes`: how long the write log was when this was heard: what made it durable stands before that. */
export type Testimony = Promised & { logBytes: number; at: number }

/** Keeps what was promised, and when in terms of the disk. */
export interface Witness {
  note(promised: Promised): void
  readonly heard: readonly Testimony[]
}

export function createWitness({ log, now }: { log: string; now: () => number }): Witness {
  const heard: Testimony[] = []
  return {
    heard,
    note: (promised) => void heard.push({ ...promised, logBytes: statSync(log).size, at: now() }),
  }
}

/**
 * Of each testimony, the index of the first entry that the log did not have yet: a cut at or after it must keep the promise. Both grow,
 * so one pass is enough.
 */
export function place(heard: readonly Testimony[], entries: readonly LogEntry[]): (Testimony & { entry: number })[] {
  let entry = 0
  return [...heard]
    .sort((a, b) => a.logBytes - b.logBytes)
    .map((one) => {
      while (entry < entries.length && (entries[entry]?.end ?? 0) <= one.logBytes) entry++
      return { ...one, entry }
    })
}

/** The versions that may be started after these promises. */
export function allowedVersions(promises: readonly Promised[]): Set<string> {
  const allowed = new Set<string>()
  for (const one of promises) {
    if (one.kind !== 'version') continue
    if (one.now === 'must') allowed.clear()
    if (one.now === 'not') allowed.delete(one.version)
    else allowed.add(one.version)
  }
  return allowed
}

/** Whether somebody outside counts on what the box has written down. */
export const anyPromised = (promises: readonly Promised[]): boolean =>
  promises.some(({ kind }) => kind === 'lease' || kind === 'event' || kind === 'key' || kind === 'member')
