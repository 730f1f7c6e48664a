import { expect, test } from 'vitest'
import type { Mac } from '../model/address.ts'
import { SiteState } from '../model/state.ts'
import type { BootClient } from './client.ts'
import { type BootHost, decideBoot } from './decide.ts'
import { renderTemplate } from './render.ts'
import { autoexecScript, bootScript, scriptVariables } from './scripts.ts'

const ref = (name: string) => ({ sha256: 'a'.repeat(64), bytes: 1, name })
const SITE = '01890000-0000-7000-8000-000000000001'
const HOST = '01890000-0000-7000-8000-000000000002'
const state = SiteState.parse({
  protocol: 1,
  site: SITE,
  name: 'shop',
  revision: 1,
  at: 0,
  tags: {},
  lans: [],
  hosts: [],
  rules: [],
  profiles: [
    { id: 'debian', name: 'Debian', version: 2, targets: { x86_64: { kernel: ref('vmlinuz'), initrd: ref('initrd'), cmdline: 'quiet' } } },
  ],
  scripts: [],
  keys: [],
  dns: {},
  loaders: { 'undionly.kpxe': ref('undionly.kpxe'), 'snponly.efi': ref('snponly.efi') },
})
const mac = '52:54:00:00:00:01' as Mac
const bios: BootClient = { mac, platform: 'bios-x86', stage: 'firmware', http: false }
const uefi: BootClient = { ...bios, platform: 'uefi-x86_64' }
const ipxe: BootClient = { ...bios, stage: 'ipxe' }
const approved: BootHost = { id: HOST, name: 'till-1', approved: true, retired: false, profile: 'debian' }
const wish = (change: Partial<NonNullable<BootHost['intent']>> = {}): BootHost => ({
  ...approved,
  intent: { id: HOST, kind: 'install', state: 'pending', attempts: 0, ...change },
})

for (const row of [
  { machine: 'unknown', host: undefined, client: bios, asks: 'address', goal: 'local-disk', step: 'loader' },
  {
    machine: 'unknown and the site ignores such',
    host: undefined,
    client: bios,
    asks: 'address',
    unknown: 'ignore',
    goal: 'ignore',
    step: 'silent',
  },
  {
    machine: 'unknown and the site lets such wait',
    host: undefined,
    client: ipxe,
    asks: 'script',
    unknown: 'wait',
    goal: 'wait',
    step: 'script',
  },
  { machine: 'approved without an intent', host: approved, client: ipxe, asks: 'script', goal: 'local-disk', step: 'script' },
  {
    machine: 'to be installed (BIOS)',
    host: wish(),
    client: bios,
    asks: 'address',
    goal: 'install',
    step: 'loader',
    loader: 'undionly.kpxe',
  },
  {
    machine: 'to be installed (UEFI)',
    host: wish(),
    client: uefi,
    asks: 'address',
    goal: 'install',
    step: 'loader',
    loader: 'snponly.efi',
  },
  { machine: 'to be installed, iPXE in its ROM', host: wish(), client: ipxe, asks: 'address', goal: 'install', step: 'start-script' },
  { machine: 'to be installed, at its script', host: wish(), client: ipxe, asks: 'script', goal: 'install', step: 'script' },
  {
    machine: 'to be installed, power lost in the middle',
    host: wish({ state: 'started', attempts: 1 }),
    client: bios,
    asks: 'address',
    goal: 'install',
    step: 'loader',
  },
  {
    machine: 'to be installed, three boots in vain',
    host: wish({ state: 'started', attempts: 3 }),
    client: bios,
    asks: 'address',
    goal: 'local-disk',
    step: 'loader',
  },
  { machine: 'installed', host: wish({ state: 'done' }), client: bios, asks: 'address', goal: 'local-disk', step: 'loader' },
  { machine: 'failed', host: wish({ state: 'failed' }), client: bios, asks: 'address', goal: 'local-disk', step: 'loader' },
  {
    machine: 'retired with a wish left',
    host: { ...wish(), retired: true },
    client: bios,
    asks: 'address',
    goal: 'local-disk',
    step: 'loader',
  },
  {
    machine: 'to be installed with a profile nobody has',
    host: wish({ profile: 'gone' }),
    client: bios,
    asks: 'address',
    goal: 'local-disk',
    step: 'loader',
  },
  {
    machine: 'of an architecture the profile lacks',
    host: wish(),
    client: { ...uefi, platform: 'uefi-arm64' },
    asks: 'address',
    goal: 'local-disk',
    step: 'silent',
  },
] as const)
  test(`a machine that is ${row.machine} gets ${row.goal} by ${row.step} (${row.client.stage}, ${row.asks})`, () => {
    const unknown = 'unknown' in row ? row.unknown : 'local-disk'
    const decision = decideBoot({ state: { ...state, unknown }, host: row.host, client: row.client, asks: row.asks })
    expect(decision.goal.kind).toBe(row.goal)
    expect(decision.step.kind).toBe(row.step)
    expect(decision.reasons.length).toBeGreaterThan(0)
    if ('loader' in row) expect(decision.step).toMatchObject({ name: row.loader })
  })

test('the install script names kernel, initrd and the boot it belongs to', () => {
  const { goal } = decideBoot({ state, host: wish(), client: ipxe, asks: 'script' })
  const boot = { id: 'b1', token: 't1' }
  const text = bootScript(
    goal,
    state,
    scriptVariables({ server: 'http://10.0.0.2', state, host: wish(), mac, platform: 'bios-x86', tags: {}, goal, boot }),
  )
  expect(text).toContain(
    `kernel http://10.0.0.2/artifacts/${'a'.repeat(64)}/vmlinuz initrd=initrd quiet bridgehead.server=http://10.0.0.2 bridgehead.boot=b1`,
  )
  expect(text.startsWith('#!ipxe\n')).toBe(true)
})

test('a template with an unknown variable is refused with its place', () => {
  expect(() => renderTemplate('#!ipxe\necho {{ host.nmae }}', { host: { name: 'a' } })).toThrow(
    /line 2, column \d+: undefined variable: host.nmae/,
  )
})

test('a template that would never end is stopped', () => {
  expect(() => renderTemplate('{% for i in (1..100000000) %}x{% endfor %}', {})).toThrow()
})

test('the disk script tries the disk itself, then a tiny GRUB where iPXE is too old, then hands back to the firmware with an error', () => {
  const goal = { kind: 'local-disk' } as const
  const boot = { id: '', token: '' }
  const variables = scriptVariables({ server: 'http://10.0.0.2', state, host: approved, mac, platform: 'bios-x86', tags: {}, goal, boot })
  expect(bootScript(goal, state, variables)).toContain(
    'sanboot --no-describe --drive 0x80 || iseq ${platform}-${buildarch} efi-x86_64 && chain http://10.0.0.2/loaders/disk-x64.efi || exit 1',
  )
  expect(autoexecScript('http://10.0.0.2')).toContain('dhcp && chain')
})
