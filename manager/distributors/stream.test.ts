import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'
import { groupBoots } from './timeline.ts'

let h: Harness
let site: string
beforeEach(async () => {
  h = await startHarness()
  site = await newSite(h, 'berlin')
})
afterEach(() => h.close())

const HOST = '01a20000-0000-7000-8000-00000000000a'
const stage = (boot: string, name: string, more = {}) => h.fact('boot.stage', { boot, stage: name as never, ...more }, HOST)
const messages = (text: string) =>
  text
    .split('\n\n')
    .filter((part) => part.includes('data:'))
    .map((part) => ({
      id: /^id: (.*)$/m.exec(part)?.[1],
      event: /^event: (.*)$/m.exec(part)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? ''),
    }))
/** Reads the stream until it has so many messages. */
async function read(path: string, count: number, headers: Record<string, string> = {}) {
  await h.ask('GET', '/whoami')
  const answer = await h.manager.app.request(`/api/v1${path}`, { headers })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (reader && messages(text).length < count) text += (await reader.read()).value ?? ''
  await reader?.cancel()
  return messages(text)
}

test('a boot is a timeline: stages with times, bytes and reasons, boots newest first', async () => {
  await h.manager.ingest(site, [
    h.fact('host.discovered', { facts: { macs: ['52:54:00:00:00:01' as never] } }, HOST),
    stage('b1', 'discover', { reasons: ['why'] }),
  ])
  h.clock.advance(1500)
  await h.manager.ingest(site, [stage('b1', 'kernel', { bytes: 100, total: 200, ms: 12.5 })])
  h.clock.advance(60_000)
  await h.manager.ingest(site, [stage('b2', 'discover')])
  const { boots, events } = (await h.ask('GET', `/hosts/${HOST}/timeline`)).body
  expect(boots).toMatchObject([
    { boot: 'b2', stages: [{ stage: 'discover', sinceMs: 0 }] },
    {
      boot: 'b1',
      endedAt: boots[1].startedAt + 1500,
      stages: [
        { stage: 'discover', sinceMs: 0, reasons: ['why'] },
        { stage: 'kernel', sinceMs: 1500, bytes: 100, total: 200, ms: 12.5 },
      ],
    },
  ])
  expect(events.map((event: { kind: string }) => event.kind)).toEqual(['host.discovered'])
})

test('stages that arrive in the wrong order are shown in the right one', () => {
  const at = (time: number, name: string) => ({ id: `${time}`, at: time, kind: 'boot.stage', boot: 'b', data: { stage: name } })
  expect(groupBoots([at(5, 'kernel'), at(1, 'discover')])[0]?.stages.map((one) => one.stage)).toEqual(['discover', 'kernel'])
})

test('the stream goes on from where a reader was, and then follows', async () => {
  await h.manager.ingest(site, [stage('b1', 'discover'), stage('b1', 'offer'), stage('b1', 'request')])
  const first = await read('/events?after=0', 3)
  expect(first.map((one) => one.data.data.stage)).toEqual(['discover', 'offer', 'request'])
  expect(first[0]).toMatchObject({ event: 'boot.stage', data: { site, kind: 'boot.stage', host: HOST } })
  expect((await read('/events', 2, { 'last-event-id': first[0]?.id ?? '' })).map((one) => one.data.data.stage)).toEqual([
    'offer',
    'request',
  ])
  const live = read(`/events?after=${first[2]?.id}&site=berlin`, 1)
  await new Promise((resolve) => setTimeout(resolve, 200)) // the reader waits by now
  await h.manager.ingest(site, [stage('b1', 'ack')])
  expect((await live).map((one) => one.data.data.stage)).toEqual(['ack'])
})

test('a reader of news alone is told at once from where to resume', async () => {
  await h.manager.ingest(site, [stage('b1', 'discover'), stage('b1', 'offer')])
  const [first] = await read('/events?after=0', 2)
  const { body } = await h.ask('GET', '/events?follow=false')
  expect(body).toBe(`id: ${Number(first?.id) + 1}\n\n`)
})

test('nobody sees another site, host or organisation than was asked', async () => {
  const paris = await newSite(h, 'paris')
  await newSite(h, 'berlin', 'evil')
  await h.manager.ingest(site, [stage('b1', 'discover')])
  await h.manager.ingest(paris, [h.fact('dhcp.foreign-server', { lan: 'lan', server: '10.0.0.1' as never, blocked: false })])
  const kinds = async (query: string, as = 'acme') =>
    messages((await h.ask('GET', `/events?after=0&follow=false${query}`, undefined, as)).body).map((one) => one.event)
  expect(await kinds('')).toEqual(['boot.stage', 'dhcp.foreign-server'])
  expect(await kinds('&site=paris')).toEqual(['dhcp.foreign-server'])
  expect(await kinds('', 'evil')).toEqual([])
  expect((await h.ask('GET', '/events?after=x')).body.errors[0].field).toBe('query.after')
})

test('the stream ends when the manager stops', async () => {
  await h.manager.ingest(site, [stage('b1', 'discover')])
  await h.ask('GET', '/whoami')
  const answer = await h.manager.app.request('/api/v1/events')
  const whole = answer.text()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await h.manager.feed.stop()
  expect(messages(await whole)).toEqual([])
})
