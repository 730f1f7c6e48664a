import { expect, test } from 'vitest'
import { silence } from './silence.ts'
import { createStory, storyLine } from './story.ts'

const event = (kind: string, host: string, data: Record<string, unknown>, at = 5000) => ({
  seq: 1,
  site: 's',
  id: 'i',
  at,
  kind,
  host,
  data,
})
const story = createStory({ mac: '52:54:00:00:00:01', since: 4000 })

test('another machine is passed over', () => {
  expect(story.take(event('host.discovered', 'other', { facts: { macs: ['52:54:00:00:00:02'] } }))).toBeUndefined()
  expect(story.host).toBeUndefined()
})

test('the machine is known by its MAC, its stages are kept by boot', () => {
  expect(story.take(event('host.discovered', 'h', { facts: { macs: ['52:54:00:00:00:01'] } }))?.text).toBe('discovered')
  expect(story.take(event('boot.stage', 'h', { boot: 'a', stage: 'ack' }))?.text).toBe('boot 1: ack')
  expect(story.take(event('boot.stage', 'h', { boot: 'b', stage: 'image', bytes: 1 }))?.text).toBe('boot 2: image')
  expect(story.take(event('boot.stage', 'h', { boot: 'b', stage: 'image', bytes: 2 }))).toMatchObject({
    text: '',
    fields: { bytes: 2, sincePowerOnMs: 1000 },
  })
  expect(story.boots.map((boot) => boot.stages.length)).toEqual([1, 2])
  story.take(event('host.status', 'h', { status: 'ready' }, 9000))
  expect(story).toMatchObject({ status: 'ready', last: { text: 'status ready', at: 9000 } })
})

test('a line tells the time since power-on', () => expect(storyLine('discovered', 2345)).toBe('          +2.3 s  discovered'))

test('silence says what was seen, what should have followed and where to look', () => {
  expect(silence('kernel', 90)).toBe(
    'nothing came for 90 s after "kernel": the initrd should have followed; check: the serial log; memory too small',
  )
  expect(silence('dance', 90)).toContain('nothing is known to follow')
})
