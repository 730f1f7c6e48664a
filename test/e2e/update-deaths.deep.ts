import { live, STORIES } from '@bridgehead/appliance/update/fake-life.ts'
import { makeKey } from '@bridgehead/appliance/update/fake-machine.ts'
import { expect, test } from 'vitest'
import { killUpdate } from '../lab/update-kills.ts'

// The whole of what appliance/update/crash.test.ts takes samples of.
for (const story of STORIES)
  for (const death of ['daemon', 'power'] as const)
    test(`a release that ${story} ends the same wherever ${death === 'power' ? 'the power goes' : 'the daemon dies'}`, async () => {
      const key = makeKey('manager')
      const points = await live(key, story)
      expect(points).toBeGreaterThan(20)
      for (let dieAt = 1; dieAt <= points; dieAt++)
        await live(key, story, dieAt, death).catch((cause: unknown) => {
          throw new Error(`dead at point ${dieAt} of ${points}: ${cause instanceof Error ? cause.message : cause}`, { cause })
        })
      console.log(`${story}, ${death}: ${points} deaths`)
    })

for (const ill of [false, true])
  test(`an update to a system that ${ill ? 'is ill' : 'is well'}, its process killed at any instruction, ends as it should`, async () => {
    for (let round = 0; round < 6; round++) {
      const { at, ...outcome } = await killUpdate({ kills: 25, lifeMs: 400, ill, random: Math.random })
      const end = ill
        ? { running: '1.0.0', slots: { A: '1.0.0', B: '1.0.0' }, ends: ['rolled-back'] }
        : { running: '1.1.0', slots: { A: '1.0.0', B: '1.1.0' }, ends: ['committed'] }
      expect(outcome).toMatchObject({ kills: 25, ...end })
      console.log(`25 kills, ${outcome.powerCuts} with the power, at`, at)
    }
  })
