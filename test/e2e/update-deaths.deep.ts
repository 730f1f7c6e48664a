import { live, STORIES } from '@bridgehead/appliance/update/fake-life.ts'
import { makeKey } from '@bridgehead/appliance/update/fake-machine.ts'
import { expect, test } from 'vitest'

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
