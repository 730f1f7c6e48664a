import { expect, test } from 'vitest'
import { decide, VERIFY_EVERY_MS } from './decide.ts'
import {
  BAD,
  fresh,
  GOOD,
  HOUR,
  ILL,
  KNOWN,
  LATER,
  later,
  marks,
  NOW,
  open,
  situation,
  testDecisions,
  WELL,
  wants,
} from './fake-situation.ts'

// The two slots, and what the loader knows of them.
testDecisions({
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
