import type { SlotMark, SlotMarks, SlotName } from '@bridgehead/shared/boot/slots.ts'
import { describe, expect, test } from 'vitest'
import {
  decide,
  type EndedUpdate,
  type Fitness,
  type KnownSlot,
  type OpenUpdate,
  type Situation,
  TRIAL_MS,
  VERIFY_EVERY_MS,
} from './decide.ts'
import { makeSystem, manifestOf } from './fake-box.ts'
import type { Verdict } from './judge-release.ts'

const HOUR = 3_600_000
const NOW = Date.UTC(2026, 10, 22)
const manifest = manifestOf('1.1.0', makeSystem('1.1.0', { blocks: 2, changed: 0 }))
const GOOD: Verdict = { kind: 'good', manifest }
const LATER: Verdict = { kind: 'later', manifest, why: 'nobody confirmed the clock' }
const BAD: Verdict = { kind: 'refused', version: '1.1.0', why: 'it is for rpi' }

const mark = (text: string): SlotMark => ({ ok: text[0] === '1', tries: Number(text[2] ?? 0) })
/** `BA 1/0 1/3`: order, A's OK/TRY, B's. */
const marks = (text: string): SlotMarks => {
  const [order = '', a = '', b = ''] = text.split(' ')
  return { order: [...order].filter((slot): slot is SlotName => slot === 'A' || slot === 'B'), A: mark(a), B: mark(b) }
}
const WELL: Fitness = { servicesForMs: HOUR, uplinkForMs: HOUR, text: 'all is well' }
const ILL: Fitness = { servicesForMs: 0, uplinkForMs: HOUR, text: 'dns: silent' }
const OFFLINE: Fitness = { servicesForMs: HOUR, uplinkForMs: 0, text: 'the uplink is down' }
const fresh = (ms: number): Fitness => ({ servicesForMs: ms, uplinkForMs: ms, text: 'all is well' })
const KNOWN: KnownSlot = { version: '0.9.0', verified: NOW - HOUR, bad: undefined }

const wants = (verdict: Verdict, ended?: EndedUpdate['phase'], told?: string): Situation['wanted'] => ({
  release: 'r1',
  verdict,
  ended: ended && { phase: ended, why: undefined },
  told,
})
const open = (phase: OpenUpdate['phase'], change: Partial<OpenUpdate> = {}): OpenUpdate => ({
  ...{ release: 'r1', version: '1.1.0', slot: 'B', phase, uplink: true, boot: 'this-boot', why: undefined },
  ...change,
})

/** A committed system in A, an older one in B, nothing wanted, up for an hour. */
const situation = (change: Partial<Situation>): Situation => ({
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

const later = 'a-later-boot'
const trial = { running: 'B', version: '1.1.0', marks: marks('BA 1/0 1/1'), bootId: later, wanted: wants(GOOD) } as const

interface Row {
  when: string
  given: Partial<Situation>
  step: string
}
const TABLE: Record<string, Row[]> = {
  'the loader': [
    { when: 'its environment cannot be read', given: { marks: undefined }, step: 'mend: the environment of the loader cannot be read' },
    {
      when: 'the system has just come up and is well',
      given: { marks: marks('AB 1/1 1/0'), uptimeMs: 9_000, health: fresh(1) },
      step: 'mark-good',
    },
    {
      when: 'it has just come up and is not well yet',
      given: { marks: marks('AB 1/1 1/0'), uptimeMs: 9_000, health: ILL },
      step: 'wait: the system has just come up: dns: silent',
    },
    {
      when: 'it held before and is ill for a minute',
      given: { marks: marks('AB 1/1 1/0'), uptimeMs: 60_000, health: ILL },
      step: 'mark-good',
    },
    { when: 'both systems were damaged and A came up all the same', given: { marks: marks('BA 0/0 1/3') }, step: 'mark-good' },
    { when: 'the other one did not come up and this one was taken instead', given: { marks: marks('BA 1/1 1/3') }, step: 'mark-good' },
    { when: 'the order names this slot alone', given: { marks: marks('A 1/0 1/0') }, step: 'mark-good' },
  ],
  'a wanted release': [
    { when: 'is new', given: { wanted: wants(GOOD) }, step: 'fetch' },
    { when: 'is half fetched', given: { wanted: wants(GOOD), open: open('fetching'), marks: marks('AB 1/0 0/0') }, step: 'fetch' },
    { when: 'lies in the slot', given: { wanted: wants(GOOD), open: open('written') }, step: 'switch' },
    {
      when: 'lies in the slot outside the window',
      given: { wanted: wants(GOOD), open: open('written'), windowOpen: false },
      step: 'wait: waits for the maintenance window',
    },
    { when: 'is fetched outside the window too', given: { wanted: wants(GOOD), windowOpen: false }, step: 'fetch' },
    {
      when: 'lay in the slot, which was marked bad since',
      given: { wanted: wants(GOOD), open: open('written'), marks: marks('AB 1/0 0/0') },
      step: 'fetch',
    },
    {
      when: 'takes the place of another one that lies in the slot',
      given: { wanted: { release: 'r2', verdict: GOOD, ended: undefined, told: undefined }, open: open('written') },
      step: 'fetch',
    },
    { when: 'is refused', given: { wanted: wants(BAD) }, step: 'refuse: it is for rpi' },
    { when: 'was refused for the same reason before', given: { wanted: wants(BAD, undefined, 'it is for rpi') }, step: 'idle' },
    {
      when: 'was refused for another reason before',
      given: { wanted: wants(BAD, undefined, 'it expired') },
      step: 'refuse: it is for rpi',
    },
    {
      when: 'may have expired, by a clock that nobody confirmed',
      given: { wanted: wants(LATER) },
      step: 'wait: nobody confirmed the clock',
    },
    { when: 'runs already', given: { wanted: wants(GOOD), version: '1.1.0' }, step: 'already-runs' },
    { when: 'was committed and runs', given: { wanted: wants(GOOD, 'committed'), version: '1.1.0' }, step: 'idle' },
    { when: 'was committed, rotted, and the old one runs', given: { wanted: wants(GOOD, 'committed') }, step: 'fetch' },
    { when: 'did not hold here', given: { wanted: wants(GOOD, 'rolled-back') }, step: 'idle' },
    {
      when: 'comes while the data partition keeps nothing',
      given: { wanted: wants(GOOD), data: 'the data partition is read-only' },
      step: 'wait: no update while the data partition is read-only: what became of it could not be remembered',
    },
    { when: 'comes when the services are ill: perhaps it heals them', given: { wanted: wants(GOOD), health: ILL }, step: 'fetch' },
  ],
  'a switch': [
    {
      when: 'was recorded, and the loader knows nothing of it (killed in between)',
      given: { wanted: wants(GOOD), open: open('switched') },
      step: 'switch',
    },
    {
      when: 'was recorded, and the power went before the loader knew',
      given: { wanted: wants(GOOD), open: open('switched'), bootId: later },
      step: 'switch',
    },
    { when: 'is known to the loader', given: { wanted: wants(GOOD), open: open('switched'), marks: marks('BA 1/0 1/0') }, step: 'reboot' },
    {
      when: 'is known to the loader, and the window has shut',
      given: { wanted: wants(GOOD), open: open('switched'), marks: marks('BA 1/0 1/0'), windowOpen: false },
      step: 'reboot',
    },
    {
      when: 'was known to the loader, which started the old system all the same',
      given: { open: open('switched'), marks: marks('BA 1/1 1/0'), bootId: later },
      step: 'record-roll-back: the loader did not start system B (1.1.0), although it was told to',
    },
    {
      when: 'led to three starts that nobody marked good',
      given: { open: open('switched'), marks: marks('BA 1/1 1/3'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) did not come up 3 times',
    },
    {
      when: 'led to one start, after which the loader took the old one',
      given: { open: open('switched'), marks: marks('BA 1/1 1/1'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) did not come up: the loader tried it once and then passed it over',
    },
    {
      when: 'led to a system that could not even write down why it gave up',
      given: { open: open('switched'), marks: marks('AB 1/1 0/0'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) gave up by itself',
    },
    {
      when: 'led to a trial that ended in the old system',
      given: { open: open('trying'), marks: marks('BA 1/1 1/3'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) was started 3 times and did not prove itself',
    },
    {
      when: 'led to a trial that was given up with a reason',
      given: { open: open('trying', { why: 'dhcp: dead' }), marks: marks('AB 1/1 0/0'), bootId: later },
      step: 'record-roll-back: dhcp: dead',
    },
  ],
  'a trial': [
    { when: 'begins', given: { ...trial, open: open('switched') }, step: 'begin-trial' },
    { when: 'begins in a system that took over before its time', given: { ...trial, open: open('written') }, step: 'begin-trial' },
    {
      when: 'is well, but not long enough',
      given: { ...trial, open: open('trying'), uptimeMs: 40_000, health: fresh(29_000) },
      step: 'wait: on trial: healthy for 29 s only',
    },
    { when: 'is well long enough', given: { ...trial, open: open('trying'), uptimeMs: 60_000, health: fresh(30_000) }, step: 'commit' },
    {
      when: 'has no uplink yet',
      given: { ...trial, open: open('trying'), uptimeMs: 60_000, health: OFFLINE },
      step: 'wait: on trial: the uplink is down',
    },
    {
      when: 'has no uplink, as before',
      given: { ...trial, open: open('trying', { uplink: false }), uptimeMs: 60_000, health: OFFLINE },
      step: 'commit',
    },
    {
      when: 'has no uplink for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: OFFLINE },
      step: 'fall-back: not healthy within 15 minutes: the uplink is down',
    },
    {
      when: 'is ill for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: ILL },
      step: 'fall-back: not healthy within 15 minutes: dns: silent',
    },
    {
      when: 'crashes again and again for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: fresh(2_000) },
      step: 'fall-back: not healthy within 15 minutes: healthy for 2 s only',
    },
    {
      when: 'is over, but there is nothing to fall back to',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: ILL, marks: marks('BA 0/0 1/1') },
      step: 'commit: not healthy within 15 minutes: dns: silent; there is no whole system to fall back to',
    },
    {
      when: 'was given up, and the daemon killed before the loader knew',
      given: { ...trial, open: open('trying', { why: 'dhcp: dead' }), health: WELL },
      step: 'fall-back: dhcp: dead',
    },
    {
      when: 'goes on although another release is wanted',
      given: {
        ...trial,
        open: open('trying'),
        uptimeMs: 60_000,
        health: fresh(1_000),
        wanted: { release: 'r2', verdict: GOOD, ended: undefined, told: undefined },
      },
      step: 'wait: on trial: healthy for 1 s only',
    },
  ],
  'the other slot': [
    { when: 'is empty', given: { marks: marks('AB 1/0 0/0'), other: undefined }, step: 'copy: slot B was empty' },
    { when: 'is empty, just after a start', given: { marks: marks('AB 1/0 0/0'), other: undefined, uptimeMs: 100_000 }, step: 'idle' },
    { when: 'is empty, and the services are ill', given: { marks: marks('AB 1/0 0/0'), other: undefined, health: ILL }, step: 'idle' },
    {
      when: 'is empty, and a release waits for the uplink',
      given: { marks: marks('AB 1/0 0/0'), other: undefined, wanted: wants(LATER) },
      step: 'copy: slot B was empty',
    },
    {
      when: 'holds what did not hold',
      given: { marks: marks('AB 1/0 0/0'), other: { ...KNOWN, bad: 'it held 1.1.0' }, wanted: wants(GOOD, 'rolled-back') },
      step: 'copy: it held 1.1.0',
    },
    {
      when: 'holds a part of a release that is wanted no longer',
      given: { marks: marks('AB 1/0 0/0'), other: { ...KNOWN, bad: 'it held a part of 1.1.0' }, open: open('fetching') },
      step: 'copy: it held a part of 1.1.0',
    },
    { when: 'did not come up', given: { marks: marks('AB 1/0 1/3') }, step: 'copy: system B did not come up 3 times' },
    { when: 'was never looked at', given: { other: undefined }, step: 'verify' },
    { when: 'was looked at a week ago', given: { other: { ...KNOWN, verified: NOW - VERIFY_EVERY_MS } }, step: 'verify' },
    { when: 'was looked at in a time to come', given: { other: { ...KNOWN, verified: NOW + HOUR } }, step: 'verify' },
    { when: 'was looked at an hour ago', given: {}, step: 'idle' },
    {
      when: 'holds a release that waits for its window',
      given: { wanted: wants(GOOD), open: open('written'), windowOpen: false, other: { ...KNOWN, verified: 0 } },
      step: 'wait: waits for the maintenance window',
    },
  ],
}

for (const [subject, rows] of Object.entries(TABLE))
  describe(subject, () => {
    for (const { when, given, step } of rows)
      test(`${when}: ${step}`, () => {
        const found = decide(situation(given))
        expect('why' in found && found.why !== undefined ? `${found.do}: ${found.why}` : found.do).toBe(step)
      })
  })

// Whatever is combined with whatever, some things are never done.
test('no situation switches to, falls back to, or copies over what it must not', () => {
  const SLOTS = ['1/0', '1/1', '1/3', '0/0', '0/3']
  let seen = 0
  for (const order of ['AB', 'BA', 'A'])
    for (const a of SLOTS)
      for (const b of SLOTS)
        for (const running of ['A', 'B'] as const)
          for (const phase of [undefined, 'fetching', 'written', 'switched', 'trying'] as const)
            for (const bootId of ['this-boot', later])
              for (const health of [WELL, ILL])
                for (const wanted of [undefined, wants(GOOD), wants(BAD), wants(GOOD, 'rolled-back')])
                  for (const uptimeMs of [10_000, HOUR]) {
                    const now = marks(`${order} ${a} ${b}`)
                    const s = situation({
                      marks: now,
                      running,
                      bootId,
                      health,
                      wanted,
                      uptimeMs,
                      open: phase && open(phase),
                      version: running === 'B' && phase ? '1.1.0' : '1.0.0',
                    })
                    const step = decide(s)
                    const other = running === 'A' ? 'B' : 'A'
                    const said = JSON.stringify({ step: step.do, order, a, b, running, phase, bootId })
                    seen++
                    if (step.do === 'switch' || step.do === 'fall-back') expect(now[other].ok, said).toBe(true)
                    if (step.do === 'switch') expect(s.open?.phase === 'written' || s.open?.phase === 'switched', said).toBe(true)
                    if (step.do === 'commit') expect(s.open?.phase === 'trying' && s.open.slot === running, said).toBe(true)
                    // what is fetched or copied overwrites the other slot: the running one must be what the loader starts
                    if (step.do === 'fetch' || step.do === 'copy') expect(now[running], said).toEqual({ ok: true, tries: 0 })
                    if (step.do === 'fetch' || step.do === 'copy') expect(now.order[0], said).toBe(running)
                    if (step.do === 'reboot') expect(now.order[0] === other && now[other].ok, said).toBe(true)
                  }
  expect(seen).toBe(3 * 25 * 2 * 5 * 2 * 2 * 4 * 2)
})
