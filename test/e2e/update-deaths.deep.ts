import { live, STORIES } from '@bridgehead/appliance/update/fake-life.ts'
import { makeKey } from '@bridgehead/appliance/update/fake-machine.ts'
import { expect, test } from 'vitest'
import { killUpdate } from '../lab/update-kills.ts'

// The whole of what appliance/update/crash.test.ts takes samples of.
for (const story of STORIES)
  for (const death of ['daemon', 'power'] as const)
    test(`a release that ${story} ends the same wherever ${death === 'power' ? 'the power goes' : 'the daemon dies'}`, async () => {
      const key = makeKey('manager')
      const { points } = await live(key, story)
      let deaths = 0
      for (let dieAt = 1; dieAt <= points; dieAt++)
        await live(key, story, dieAt, death).then(
          ({ died }) => {
            deaths += Number(died)
          },
          (cause: unknown) => {
            throw new Error(`dead at point ${dieAt} of ${points}: ${cause instanceof Error ? cause.message : cause}`, { cause })
          },
        )
      expect(deaths).toBeGreaterThan(30)
      console.log(`${story}, ${death}: ${deaths} deaths`)
    })

for (const ill of [false, true])
  test(`an update to a system that is ${ill ? 'ill' : 'well'}, its process killed at any instruction, ends as it should`, async () => {
    const end = ill
      ? { running: '1.0.0', slots: { A: '1.0.0', B: '1.0.0' }, ends: ['rolled-back'] }
      : { running: '1.1.0', slots: { A: '1.0.0', B: '1.1.0' }, ends: ['committed'] }
    let kills = 0
    while (kills < 100) {
      const outcome = await killUpdate({ kills: 25, lifeMs: 60, ill, random: Math.random })
      expect(outcome).toMatchObject(end)
      kills += outcome.kills
      console.log(`${outcome.kills} kills, ${outcome.powerCuts} with the power, at`, outcome.at)
    }
  })
