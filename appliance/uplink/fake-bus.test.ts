import { systemClock } from '@bridgehead/shared/clock.ts'
import { describe } from 'vitest'
import { busContract } from './bus-contract.ts'
import { fakeRedis } from './fake-bus.ts'

describe('the bus in memory', () =>
  busContract(async () => {
    const redis = fakeRedis(systemClock)
    return {
      open: () => redis.connect(new AbortController().signal),
      setState: async (jws) => redis.setState(jws),
      nudge: async () => redis.nudge(),
      addCommand: async (jws) => redis.addCommand(jws),
      commandsLeft: async () => redis.commandsLeft(),
      events: async () => redis.events(),
      presence: async () => redis.presence(),
    }
  }))
