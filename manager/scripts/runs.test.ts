import type { Command } from '@bridgehead/shared/model/command.ts'
import { type PublicKey, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'

let h: Harness
let berlin: string
let boston: string
const hosts: Record<string, string> = {}
beforeEach(async () => {
  h = await startHarness()
  berlin = await newSite(h, 'berlin', 'acme', { tags: { city: 'Berlin' } })
  boston = await newSite(h, 'boston')
  for (const [site, name, number] of [
    ['berlin', 'a', 1],
    ['berlin', 'b', 2],
    ['boston', 'a', 1],
  ] as const)
    hosts[`${site}-${name}`] = (await h.ask('POST', '/hosts', { site, name, macs: [`52:54:00:00:00:0${number}`] })).body.id
})
afterEach(() => h.close())

const orders = async (): Promise<Command[]> => {
  const { d: _, ...key } = h.signingKey
  await h.manager.services[1]?.start() // everything is out
  return Promise.all(h.bus.sent.map(async ({ jws }) => (await verifyDocument('command', jws, [key as PublicKey])) as Command))
}

test('a selector of one site never reaches the other, though MACs, names and subnets are equal', async () => {
  const run = await h.ask('POST', '/runs', { text: 'hostname', selector: 'site=berlin' })
  expect(run.status).toBe(202)
  const sent = await orders()
  expect(h.bus.sent.map((one) => one.site)).toEqual([berlin])
  expect(sent[0]).toMatchObject({ site: berlin, order: { kind: 'run-script', text: 'hostname', user: 'root', timeoutSeconds: 600 } })
  const targets = sent[0]?.order.kind === 'run-script' ? sent[0].order.runs.map((one) => one.host) : []
  expect(targets.sort()).toEqual([hosts['berlin-a'], hosts['berlin-b']].sort())
})

test('one order goes to each site, with its own variables', async () => {
  await h.ask('POST', '/scripts', {
    name: 'hi',
    kind: 'bash',
    text: 'echo {{ vars.word }} from {{ site.name }} {{ site.tags.city | default: "-" }}',
  })
  const bad = await h.ask('POST', '/runs', { script: 'hi', selector: '', vars: {} })
  expect([bad.status, bad.body.code]).toEqual([422, 'does-not-render'])
  expect((await h.ask('GET', '/runs')).body.items).toEqual([]) // nothing half-made
  await h.ask('PATCH', '/sites/boston', { tags: { city: 'Boston' } })
  await h.ask('POST', '/runs', { script: 'hi', selector: '', vars: { word: 'hello' } })
  const texts = (await orders()).map((command) => (command.order.kind === 'run-script' ? command.order.text : ''))
  expect(texts.sort()).toEqual(['echo hello from berlin Berlin', 'echo hello from boston Boston'])
})

test('output and exit code come together per host; another site cannot speak for it', async () => {
  const made = (await h.ask('POST', '/runs', { text: 'id', hosts: [hosts['berlin-a']] })).body
  const run = made.hosts[0].id
  expect(made).toMatchObject({ done: false, counts: { queued: 1 }, hosts: [{ state: 'queued', hostName: 'a', site: berlin }] })
  await h.manager.ingest(boston, [
    h.fact('run.finished', { run, exitCode: 0, ms: 1 }),
    h.fact('run.output', { run, seq: 0, stream: 'stdout', text: 'lie' }),
  ])
  await h.manager.ingest(berlin, [
    h.fact('run.started', { run, ip: '192.168.1.50' as never }),
    h.fact('run.output', { run, seq: 1, stream: 'stdout', text: 'two\n' }),
    h.fact('run.output', { run, seq: 0, stream: 'stdout', text: 'one\n' }),
    h.fact('run.output', { run, seq: 2, stream: 'stderr', text: 'oops\n' }),
  ])
  expect((await h.ask('GET', `/runs/${made.id}`)).body.hosts[0]).toMatchObject({
    state: 'running',
    ip: '192.168.1.50',
    stdout: 'one\ntwo\n',
  })
  await h.manager.ingest(berlin, [h.fact('run.finished', { run, exitCode: 3, ms: 12.5 })])
  expect((await h.ask('GET', `/runs/${made.id}`)).body).toMatchObject({
    done: true,
    hosts: [{ state: 'finished', exitCode: 3, ms: 12.5, stdout: 'one\ntwo\n', stderr: 'oops\n' }],
  })
})

test('a refused order fails its runs; one that nobody took in time expires', async () => {
  const refused = (await h.ask('POST', '/runs', { text: 'id', hosts: [hosts['berlin-a']] })).body.id
  const late = (await h.ask('POST', '/runs', { text: 'id', hosts: [hosts['boston-a']], deadlineSeconds: 60 })).body.id
  const [first] = await orders()
  await h.manager.ingest(berlin, [h.fact('command.refused', { command: first?.id ?? '', why: 'too old' })])
  expect((await h.ask('GET', `/runs/${refused}`)).body.hosts[0]).toMatchObject({ state: 'failed', error: 'too old' })
  h.clock.advance(91_000)
  await h.ask('GET', '/runs')
  expect((await h.ask('GET', `/runs/${late}`)).body.hosts[0].state).toBe('expired')
})

test.each([
  { what: 'no such script', body: { script: 'nope', selector: '' }, code: 'reference-unknown' },
  { what: 'no host', body: { text: 'id', selector: 'role=none' }, code: 'no-hosts' },
  { what: 'an unknown host', body: { text: 'id', hosts: ['01a20000-0000-7000-8000-0000000000ee'] }, code: 'reference-unknown' },
  { what: 'a user of strange name', body: { text: 'id', selector: '', user: 'root; rm' }, code: 'invalid' },
])('a run with $what is refused as $code, and nothing is sent', async ({ body, code }) => {
  expect((await h.ask('POST', '/runs', body)).body.code).toBe(code)
  expect(await orders()).toEqual([])
})

test('orders wait while Redis is away', async () => {
  h.bus.away = true
  await h.ask('POST', '/runs', { text: 'id', selector: 'site=berlin' })
  expect(await orders()).toEqual([])
  h.bus.away = false
  h.clock.advance(5_000)
  expect(await orders()).toHaveLength(1)
})

test('only bash scripts run on hosts', async () => {
  await h.ask('POST', '/scripts', { name: 'menu', kind: 'ipxe', text: '#!ipxe' })
  expect((await h.ask('POST', '/runs', { script: 'menu', selector: '' })).body.errors[0]).toMatchObject({ field: 'script' })
})
