import type { BootClient } from '@bridgehead/shared/boot/client.ts'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { createOutbox } from '../store/outbox.ts'
import { openStore } from '../store/store.ts'
import { createHostEngine } from './engine.ts'
import { createInstalls } from './install.ts'

const SITE = '01890000-0000-7000-8000-000000000001'
const SPEC = '01890000-0000-7000-8000-0000000000aa'
const ref = (digit: string, name: string) => ({ sha256: digit.repeat(64), bytes: 10, name })
const mac = '52:54:00:00:00:01' as Mac
const ip = '10.0.0.100' as Ipv4
const server = '10.0.0.2' as Ipv4
const bios: BootClient = { mac, platform: 'bios-x86', stage: 'firmware', http: false }
const ipxe: BootClient = { ...bios, stage: 'ipxe' }

function bench(change: object = {}) {
  const clock = steppedClock(1_000_000)
  const store = openStore(':memory:')
  let count = 0
  const newId = () => `01890000-0000-7000-8000-${String(++count).padStart(12, '0')}`
  const outbox = createOutbox(store.db, { clock, newId })
  const engine = createHostEngine({ store, outbox, clock, log: silentLog, newId, newToken: () => `secret-${++count}`, httpPort: 80 })
  const installs = createInstalls({ store, outbox, clock, engine, siteKey: 'ssh-ed25519 AAAA site' })
  const state = (more: object = {}) =>
    SiteState.parse({
      protocol: 1,
      site: SITE,
      name: 'shop',
      revision: 1,
      at: 0,
      tags: {},
      hosts: [],
      scripts: [],
      keys: [],
      dns: {},
      lans: [{ name: 'main', subnet: '10.0.0.0/24', address: server, mode: 'serve' }],
      rules: [{ id: 'all', name: 'all', order: 1, match: {}, tags: { role: 'till' }, profile: 'debian' }],
      profiles: [
        {
          id: 'debian',
          name: 'Debian',
          version: 1,
          targets: { x86_64: { kernel: ref('a', 'vmlinuz'), initrd: ref('b', 'initrd'), image: ref('c', 'disk.zst'), imageBytes: 100 } },
        },
      ],
      loaders: { 'undionly.kpxe': ref('d', 'undionly.kpxe') },
      ...change,
      ...more,
    })
  const [lan] = state().lans
  if (!lan) throw new Error('no lan')
  const apply = (more?: object) => store.write(() => engine.applyInWrite(state(more)))
  const kinds = () =>
    outbox.peek(1000).map((row) => JSON.parse(row.event) as { kind: string; host?: string; data: Record<string, unknown> })
  const address = (client: BootClient) =>
    store.write(() => {
      const advice = engine.adviseInWrite(client, lan)
      for (const stage of ['discover', 'offer', 'request'] as const) engine.sawInWrite(client, lan, stage)
      engine.sawInWrite(client, lan, 'ack', ip)
      return advice
    })
  const script = () => engine.script({ client: ipxe, ip, server, facts: { vendor: 'QEMU' } })
  const tokenIn = (text = '') => ({
    boot: /bridgehead\.boot=(\S+)/.exec(text)?.[1] ?? '',
    token: /bridgehead\.token=(\S+)/.exec(text)?.[1] ?? '',
  })
  return { clock, store, outbox, engine, installs, apply, kinds, address, script, tokenIn }
}

async function installOnce(b: ReturnType<typeof bench>) {
  await b.address(bios)
  const { boot, token } = b.tokenIn(await b.script())
  const answers = await b.installs.answers(boot, token, ip, server)
  await b.installs.stage(boot, token, ip, { stage: 'image', bytes: 100, total: 100 })
  await b.installs.installed(boot, token, ip)
  return { boot, token, answers }
}

test('an unknown machine is discovered, approved by a rule, installed once, and told its own disk ever after', async () => {
  const b = bench()
  await b.apply()
  expect(await b.address(bios)).toMatchObject({ kind: 'file', file: 'undionly.kpxe', server })
  const { boot, answers } = await installOnce(b)
  expect(answers).toContain("HOSTNAME='host-000001'")
  expect(
    b
      .kinds()
      .map((event) => event.kind)
      .filter((kind) => kind !== 'boot.stage'),
  ).toEqual(['host.discovered', 'host.approved', 'host.facts', 'intent.started', 'host.status', 'intent.done', 'host.status'])
  for (let reboot = 0; reboot < 3; reboot++) {
    b.clock.advance(60_000)
    await b.address(bios)
    expect(await b.script()).toContain('boots its own disk')
  }
  const phone = /PHONE_HOME_TOKEN='(.*)'/.exec(answers)?.[1] ?? ''
  await b.installs.phoneHome(boot, phone, ip, ['ssh-ed25519 AAAAkey root@host'])
  expect(b.kinds().at(-1)).toMatchObject({ kind: 'boot.stage', data: { stage: 'phone-home' } })
  expect(b.engine.sshTarget(b.kinds()[0]?.host ?? '')).toMatchObject({ ip, hostKeys: ['ssh-ed25519 AAAAkey root@host'] })
})

test('answers are given once, to the address of the boot, with its token', async () => {
  const b = bench()
  await b.apply()
  await b.address(bios)
  const { boot, token } = b.tokenIn(await b.script())
  await expect(b.installs.answers(boot, 'guess', ip, server)).rejects.toMatchObject({ status: 403 })
  await expect(b.installs.answers(boot, token, '10.0.0.101' as Ipv4, server)).rejects.toMatchObject({ status: 403 })
  await b.installs.answers(boot, token, ip, server)
  await b.installs.answers(boot, token, ip, server) // the first answer may have been lost on its way
  await b.installs.stage(boot, token, ip, { stage: 'image' })
  await expect(b.installs.answers(boot, token, ip, server)).rejects.toMatchObject({ status: 410 })
})

test('a machine whose power fails in mid-install is installed at its next boot, three times at most', async () => {
  const b = bench()
  await b.apply()
  for (let attempt = 1; attempt <= 3; attempt++) {
    await b.address(bios)
    expect(await b.script()).toContain('gets Debian version 1')
    expect(await b.script(), 'asking twice in one boot is one attempt').toContain('gets Debian version 1')
    b.clock.advance(600_000)
  }
  await b.address(bios)
  expect(await b.script()).toContain('boots its own disk')
  expect(b.kinds().filter((event) => event.kind === 'intent.failed')).toHaveLength(1)
})

test('a machine registered at the manager keeps its id there, though the site found it first', async () => {
  const b = bench({ rules: [] })
  await b.apply()
  await b.address(bios)
  const spec = {
    id: SPEC,
    name: 'till-1',
    macs: [mac],
    tags: {},
    approved: true,
    profile: 'debian',
    intent: { id: SITE, kind: 'install', at: 1 },
  }
  await b.apply({ hosts: [spec] })
  await b.address(bios)
  expect(await b.script()).toContain('till-1')
  expect(b.kinds().at(-1)?.host).toBe(SPEC)
  await b.apply({ hosts: [] })
  expect(b.engine.records.host(SPEC), 'deleted at the manager').toBeUndefined()
})

test('a wish that was taken back before anything acted on it is not carried out', async () => {
  const b = bench({ rules: [] })
  const spec = { id: SPEC, name: 'till-1', macs: [mac], tags: {}, approved: true, profile: 'debian' }
  await b.apply({ hosts: [{ ...spec, intent: { id: SITE, kind: 'install', at: 1 } }] })
  await b.apply({ hosts: [spec] })
  await b.address(bios)
  expect(await b.script()).toContain('boots its own disk')
})

test('a machine that waits for approval is one boot, told once, and goes on by itself when approved', async () => {
  const b = bench({ rules: [], unknown: 'wait' })
  await b.apply()
  await b.address(bios)
  for (let turn = 0; turn < 5; turn++) {
    expect(await b.script()).toContain('waits for approval')
    b.clock.advance(10_000)
  }
  expect(b.kinds().filter((event) => event.data.stage === 'script')).toHaveLength(1)
  await b.apply({ rules: [{ id: 'all', name: 'all', order: 1, match: { vendor: 'qemu' }, tags: {}, profile: 'debian' }] })
  expect(await b.script()).toContain('gets Debian')
})

test("an operator's script that does not render is told and leaves the machine its disk", async () => {
  const b = bench({
    profiles: [
      {
        id: 'debian',
        name: 'Debian',
        version: 1,
        ipxe: 'own',
        targets: { x86_64: { kernel: ref('a', 'vmlinuz'), initrd: ref('b', 'initrd') } },
      },
    ],
    scripts: [{ id: 'own', name: 'own', version: 1, kind: 'ipxe', text: '#!ipxe\necho {{ host.nmae }}' }],
  })
  await b.apply()
  await b.address(bios)
  expect(await b.script()).toContain('boots its own disk')
  expect(b.kinds().find((event) => event.kind === 'script.render-failed')?.data.why).toContain('line 2')
})

test('a machine from which a person took the approval is not approved by a rule again', async () => {
  const b = bench()
  await b.apply()
  await b.address(bios)
  await b.apply({ hosts: [{ id: b.kinds()[0]?.host, name: 'till-1', macs: [mac], tags: {}, approved: false }] })
  b.clock.advance(60_000)
  await b.address(bios)
  expect(await b.script()).toContain('boots its own disk')
  expect(b.kinds().filter((event) => event.kind === 'host.approved')).toHaveLength(1)
})
