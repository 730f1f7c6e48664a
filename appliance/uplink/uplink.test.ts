import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { expect, test } from 'vitest'
import type { Membership } from './membership.ts'
import { MANAGER, publicOf, SITE } from './samples.ts'
import { createUplink } from './uplink.ts'

const MEMBER: Membership = {
  protocol: 1,
  site: SITE,
  name: 'test',
  managerKeys: [{ ...publicOf(MANAGER) }],
  redis: { host: '127.0.0.1', port: 6390, username: 'site-x' },
  artifacts: 'http://127.0.0.1:8480/artifacts',
  secret: 'secret',
  tokenHash: 'hash',
}

function uplink(enrol: (signal: AbortSignal) => Promise<Membership | undefined>, failing = { overlay: 0 }) {
  const clock = steppedClock()
  const story: string[] = []
  const service = (name: string): Service => ({
    name,
    async start() {
      story.push(`start ${name}`)
      if (name === 'overlay' && failing.overlay-- > 0) throw new Error('Operation not permitted')
    },
    async stop() {
      story.push(`stop ${name}`)
    },
  })
  const uplinkService = createUplink({
    enrol,
    onMember: async ({ name }) => void story.push(`member ${name}`),
    services: () => [service('overlay'), service('link')],
    clock,
    random: () => 0,
    log: silentLog,
  })
  return { clock, story, service: uplinkService }
}
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

test('start does not wait for a manager that never answers, stop ends the asking', async () => {
  const { service, story } = uplink((signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined))))
  await service.start()
  await service.stop()
  expect(story).toEqual([])
})

test('a member runs overlay before link, and stops in reverse', async () => {
  const { service, story } = uplink(async () => MEMBER)
  await service.start()
  await settle()
  await service.stop()
  await service.stop()
  expect(story).toEqual(['member test', 'start overlay', 'start link', 'stop link', 'stop overlay'])
})

test('an overlay that does not start is tried again, after what was started has stopped', async () => {
  const { service, story, clock } = uplink(async () => MEMBER, { overlay: 1 })
  await service.start()
  await settle()
  expect(story).toEqual(['member test', 'start overlay', 'stop overlay'])
  clock.advance(250)
  await settle()
  expect(story.slice(3)).toEqual(['start overlay', 'start link'])
  await service.stop()
})
