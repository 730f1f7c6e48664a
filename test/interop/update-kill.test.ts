import { expect, test } from 'vitest'
import { killUpdate } from '../lab/update-kills.ts'

test('an update whose daemon is killed at any moment, with or without the power, ends in the new system', async () => {
  const outcome = await killUpdate({ kills: 12, lifeMs: 60, random: Math.random })
  expect(outcome.kills).toBeGreaterThan(3)
  expect(outcome).toMatchObject({ running: '1.1.0', slots: { A: '1.0.0', B: '1.1.0' }, ends: ['committed'] })
})
