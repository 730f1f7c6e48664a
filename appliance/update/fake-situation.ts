import type { SlotMark, SlotMarks, SlotName } from '@bridgehead/shared/boot/slots.ts'
import { describe, expect, test } from 'vitest'
import { decide, type EndedUpdate, type Fitness, type KnownSlot, type OpenUpdate, type Situation } from './decide.ts'
import { makeSystem, manifestOf } from './fake-box.ts'
import type { Verdict } from './judge-release.ts'

// Situations in short, for tables of what is decided in each.

export const HOUR = 3_600_000
export const NOW = Date.UTC(2026, 10, 22)
const manifest = manifestOf('1.1.0', makeSystem('1.1.0', { blocks: 2, changed: 0 }))
export const GOOD: Verdict = { kind: 'good', manifest }
export const LATER: Verdict = { kind: 'later', manifest, why: 'nobody confirmed the clock' }
export const BAD: Verdict = { kind: 'refused', version: '1.1.0', why: 'it is for rpi' }

const mark = (text: string): SlotMark => ({ ok: text[0] === '1', tries: Number(text[2] ?? 0) })
/** `BA 1/0 1/3`: order, A's OK/TRY, B's. */
export const marks = (text: string): SlotMarks => {
  const [order = '', a = '', b = ''] = text.split(' ')
  return { order: [...order].filter((slot): slot is SlotName => slot === 'A' || slot === 'B'), A: mark(a), B: mark(b) }
}
export const WELL: Fitness = { servicesForMs: HOUR, uplinkForMs: HOUR, text: 'all is well' }
export const ILL: Fitness = { servicesForMs: 0, uplinkForMs: HOUR, text: 'dns: silent' }
export const OFFLINE: Fitness = { servicesForMs: HOUR, uplinkForMs: 0, text: 'the uplink is down' }
export const fresh = (ms: number): Fitness => ({ servicesForMs: ms, uplinkForMs: ms, text: 'all is well' })
export const KNOWN: KnownSlot = { version: '0.9.0', verified: NOW - HOUR, bad: undefined }

export const wants = (verdict: Verdict, ended?: EndedUpdate['phase'], told?: string): Situation['wanted'] => ({
  release: 'r1',
  verdict,
  ended: ended && { phase: ended, why: undefined },
  told,
})
export const open = (phase: OpenUpdate['phase'], change: Partial<OpenUpdate> = {}): OpenUpdate => ({
  ...{ release: 'r1', version: '1.1.0', slot: 'B', phase, uplink: true, boot: 'this-boot', why: undefined },
  ...change,
})

/** A committed system in A, an older one in B, nothing wanted, up for an hour. */
export const situation = (change: Partial<Situation>): Situation => ({
  now: NOW,
  uptimeMs: HOUR,
  bootId: 'this-boot',
  running: 'A',
  version: '1.0.0',
  marks: marks('AB 1/0 1/0'),
  data: 'ok',
  open: undefined,
  wanted: undefined,
  windowOpen: true,
  health: WELL,
  other: KNOWN,
  ...change,
})

/** The process was ended by a restart of the machine. */
export const later = 'a-later-boot'
export const trial = { running: 'B', version: '1.1.0', marks: marks('BA 1/0 1/1'), bootId: later, wanted: wants(GOOD) } as const

export interface Row {
  when: string
  given: Partial<Situation>
  step: string
}

/** A test for each row, by subject. */
export function testDecisions(table: Record<string, readonly Row[]>): void {
  for (const [subject, rows] of Object.entries(table))
    describe(subject, () => {
      for (const { when, given, step } of rows)
        test(`${when}: ${step}`, () => {
          const found = decide(situation(given))
          expect('why' in found && found.why !== undefined ? `${found.do}: ${found.why}` : found.do).toBe(step)
        })
    })
}
