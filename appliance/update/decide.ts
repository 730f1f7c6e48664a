import { MAX_TRIES, otherSlot, type SlotMarks, type SlotName } from '@bridgehead/shared/boot/slots.ts'
import { compareVersions, type ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import type { Verdict } from './judge-release.ts'

/** A release that is under way. It is on disk, so each step may be the last one of this process. */
export interface OpenUpdate {
  release: string
  version: string
  slot: SlotName
  /** `written`: lies whole in the slot; `switched`: the loader is told (or is just about to be); `trying`: it came up and must prove itself. */
  phase: 'fetching' | 'written' | 'switched' | 'trying'
  /** The uplink worked before, so it must work afterwards. */
  uplink: boolean
  /** The boot in which the loader was told. */
  boot: string | undefined
  /** Why it shall not stay. */
  why: string | undefined
}

/** How a release ended here. */
export interface EndedUpdate {
  phase: 'committed' | 'rolled-back'
  why: string | undefined
}

/** What was last put or found in a slot. */
export interface KnownSlot {
  version: string | undefined
  /** When it was last read whole, epoch ms. */
  verified: number
  /** Why it is not to be started; undefined while it is whole. */
  bad: string | undefined
}

export interface Situation {
  now: number
  uptimeMs: number
  bootId: string
  running: SlotName
  version: string
  /** Undefined: the loader's environment cannot be read. */
  marks: SlotMarks | undefined
  /** `ok`, or why the data partition keeps nothing. */
  data: 'ok' | string
  open: OpenUpdate | undefined
  /** `told`: why it was refused, as far as the manager knows. */
  wanted: { release: string; verdict: Verdict; ended: EndedUpdate | undefined; told: string | undefined } | undefined
  windowOpen: boolean
  health: Fitness
  /** Undefined: nobody looked yet. */
  other: KnownSlot | undefined
}

/** Health over time. Durations in ms; 0 when it is not so now. */
export interface Fitness {
  servicesForMs: number
  uplinkForMs: number
  /** What is wrong now. */
  text: string
}

export type Step =
  /** `release`: the one that has to wait. */
  | { do: 'wait'; why: string; release?: string; version?: string }
  | { do: 'idle' }
  /** The loader's environment is written anew. */
  | { do: 'mend'; why: string }
  | { do: 'mark-good' }
  | { do: 'begin-trial' }
  | { do: 'commit'; why?: string }
  | { do: 'fall-back'; why: string }
  | { do: 'record-roll-back'; why: string }
  | { do: 'refuse'; release: string; version: string; why: string }
  | { do: 'already-runs'; release: string; manifest: ReleaseManifest }
  | { do: 'fetch'; release: string; manifest: ReleaseManifest }
  | { do: 'switch'; release: string; manifest: ReleaseManifest }
  | { do: 'reboot' }
  | { do: 'copy'; why: string }
  | { do: 'verify' }

/** A new version has this long since the machine was started. */
export const TRIAL_MS = 15 * 60_000
/** It must be healthy without a break for this long: a version that dies after some seconds shall not be committed in between. */
export const HOLD_MS = 30_000
/** A version that held before is marked good after this time in any case: three power cuts in a row must not look like three failed starts. */
export const SETTLED_MS = 60_000
/** Upkeep of the other slot is no hurry, and must not slow a start. */
export const UPKEEP_AFTER_MS = 120_000
/** How often the other slot is read whole. */
export const VERIFY_EVERY_MS = 7 * 24 * 3_600_000

/** The one next step. Pure. */
export function decide(s: Situation): Step {
  if (s.marks === undefined) return { do: 'mend', why: 'the environment of the loader cannot be read' }
  const marks = s.marks
  if (s.open && s.open.slot === s.running && s.open.phase !== 'fetching') return trial(s, s.open, marks)
  const failure = s.open && failedStart(s, s.open, marks)
  if (failure !== undefined) return { do: 'record-roll-back', why: failure }
  if (s.open?.phase === 'switched' && isTold(s.open, marks)) return { do: 'reboot' }
  if (!isMarked(s, marks)) {
    if (s.health.servicesForMs > 0 || s.uptimeMs >= SETTLED_MS) return { do: 'mark-good' }
    return { do: 'wait', why: `the system has just come up: ${s.health.text}` }
  }
  const update = updateStep(s, marks)
  if (update && (update.do !== 'wait' || s.open?.phase === 'written')) return update
  return upkeep(s, marks) ?? update ?? { do: 'idle' }
}

/** The new system runs. It stays when it proves itself in time. */
function trial(s: Situation, open: OpenUpdate, marks: SlotMarks): Step {
  if (open.phase !== 'trying') return { do: 'begin-trial' }
  const fallback = marks[otherSlot(s.running)].ok
  if (open.why !== undefined && fallback) return { do: 'fall-back', why: open.why }
  const heldMs = open.uplink ? Math.min(s.health.servicesForMs, s.health.uplinkForMs) : s.health.servicesForMs
  if (heldMs >= HOLD_MS) return { do: 'commit' }
  const missing = heldMs > 0 ? `healthy for ${Math.round(heldMs / 1000)} s only` : s.health.text
  if (s.uptimeMs < TRIAL_MS) return { do: 'wait', why: `on trial: ${missing}` }
  const why = `not healthy within ${TRIAL_MS / 60_000} minutes: ${missing}`
  return fallback ? { do: 'fall-back', why } : { do: 'commit', why: `${why}; there is no whole system to fall back to` }
}

/** Why the old system runs although the new one was told to the loader; undefined where it was not, or not yet had its chance. */
function failedStart(s: Situation, open: OpenUpdate, marks: SlotMarks): string | undefined {
  const { ok, tries } = marks[open.slot]
  const name = `system ${open.slot} (${open.version})`
  if (open.phase === 'trying') return open.why ?? `${name} was started ${times(tries)} and did not prove itself`
  if (open.phase !== 'switched' || s.bootId === open.boot) return undefined
  if (tries >= MAX_TRIES) return `${name} did not come up ${times(tries)}`
  if (tries > 0) return `${name} did not come up: the loader tried it ${times(tries)} and then passed it over`
  if (!ok) return `${name} gave up by itself`
  return isTold(open, marks) ? `the loader did not start ${name}, although it was told to` : undefined
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`)
const isTold = (open: OpenUpdate, marks: SlotMarks) => marks.order[0] === open.slot && marks[open.slot].ok
const isMarked = ({ running }: Situation, marks: SlotMarks) =>
  marks.order[0] === running && marks[running].ok && marks[running].tries === 0 && marks.order.includes(otherSlot(running))

/** Towards the wanted release; undefined when nothing is wanted, or it is over. */
function updateStep(s: Situation, marks: SlotMarks): Step | undefined {
  if (!s.wanted) return undefined
  const { release, verdict, ended, told } = s.wanted
  if (verdict.kind === 'refused')
    return ended || told === verdict.why ? undefined : { do: 'refuse', release, version: verdict.version ?? 'unknown', why: verdict.why }
  const { manifest } = verdict
  if (compareVersions(manifest.version, s.version) === 0) return ended ? undefined : { do: 'already-runs', release, manifest }
  if (ended?.phase === 'rolled-back') return undefined
  const wait = (why: string): Step => ({ do: 'wait', why, release, version: manifest.version })
  if (verdict.kind === 'later') return wait(verdict.why)
  if (s.data !== 'ok') return wait(`no update while ${s.data}: what became of it could not be remembered`)
  const whole = s.open?.release === release && s.open.phase !== 'fetching' && marks[s.open.slot].ok && s.other?.bad === undefined
  if (!whole) return { do: 'fetch', release, manifest }
  return s.windowOpen ? { do: 'switch', release, manifest } : wait('waits for the maintenance window')
}

/** Keeps the other slot fit to fall back to. */
function upkeep(s: Situation, marks: SlotMarks): Step | undefined {
  if (s.uptimeMs < UPKEEP_AFTER_MS || s.health.servicesForMs === 0) return undefined
  const slot = otherSlot(s.running)
  const { ok, tries } = marks[slot]
  if (s.other?.bad !== undefined) return { do: 'copy', why: s.other.bad }
  if (ok && tries >= MAX_TRIES) return { do: 'copy', why: `system ${slot} did not come up ${times(tries)}` }
  if (!ok) return { do: 'copy', why: s.other ? `system ${slot} was not whole` : `slot ${slot} was empty` }
  const ageMs = s.other ? s.now - s.other.verified : VERIFY_EVERY_MS
  return ageMs >= VERIFY_EVERY_MS || ageMs < 0 ? { do: 'verify' } : undefined // a time to come: the clock was wrong then, or is now
}
