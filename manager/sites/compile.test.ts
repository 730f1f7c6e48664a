import type { Cidr4, Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { type HostSpec, type Rule, SiteState } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { type CompileInput, compile, contentHash, usedProfiles } from './compile.ts'

const A = '01a20000-0000-7000-8000-00000000000a'
const B = '01a20000-0000-7000-8000-00000000000b'
const host = (id: string, more: Partial<HostSpec> = {}): HostSpec => ({
  id,
  name: `host-${id.slice(-1)}`,
  macs: ['52:54:00:00:00:02', '52:54:00:00:00:01'] as Mac[],
  tags: { z: '1', a: '2' },
  approved: true,
  retired: false,
  ...more,
})
const rule = (id: string, order: number, more: Partial<Rule> = {}): Rule => ({ id, name: id, order, match: {}, tags: {}, ...more })
const input: CompileInput = {
  site: {
    id: '01a20000-0000-7000-8000-000000000001',
    name: 'berlin',
    tags: { region: 'eu', city: 'berlin' },
    lans: [
      { name: 'lan', subnet: '192.168.1.0/24' as Cidr4, address: '192.168.1.2' as Ipv4, mode: 'serve', ranges: [], leaseSeconds: 43_200 },
    ],
    unknown: 'wait',
    dns: { zone: 'internal', forwarders: [], records: [] },
  },
  hosts: [host(B), host(A)],
  rules: [rule('r2', 20), rule('r3', 10), rule('r1', 20)],
  profiles: [],
  scripts: [],
  keys: [{ name: 'ada', publicKey: 'ssh-ed25519 AAAA' }],
  loaders: { 'undionly.kpxe': { sha256: 'a'.repeat(64), bytes: 1, name: 'undionly.kpxe' } },
  managerKeys: [{ kid: 'k1', kty: 'OKP', crv: 'Ed25519', x: 'x' }],
}

test('what is compiled is a state that the appliance accepts', () => {
  expect(SiteState.safeParse({ ...compile(input), revision: 1, at: 1 }).error).toBeUndefined()
})

test('hosts come by id, rules by order, MACs and tags sorted, whatever order the tables give', () => {
  const state = compile(input)
  expect(state.hosts.map((one) => one.id)).toEqual([A, B])
  expect(state.rules.map((one) => one.id)).toEqual(['r3', 'r1', 'r2'])
  expect(state.hosts[0]?.macs).toEqual(['52:54:00:00:00:01', '52:54:00:00:00:02'])
  expect(contentHash(compile({ ...input, hosts: [...input.hosts].reverse(), rules: [...input.rules].reverse() }))).toBe(contentHash(state))
  const turned = { ...input, site: { ...input.site, tags: { city: 'berlin', region: 'eu' } } }
  expect(contentHash(compile(turned))).toBe(contentHash(state))
})

test("the appliance's own key is authorised beside the people's", () => {
  expect(compile({ ...input, siteKey: 'ssh-ed25519 BBBB' }).keys).toEqual([
    { name: 'ada', publicKey: 'ssh-ed25519 AAAA' },
    { name: 'site:berlin', publicKey: 'ssh-ed25519 BBBB' },
  ])
})

test('no private part of a manager key gets in', () => {
  const leaky = { ...input, managerKeys: [{ kid: 'k1', kty: 'OKP', crv: 'Ed25519', x: 'x', d: 'secret' } as const] }
  expect(JSON.stringify(compile(leaky))).not.toContain('secret')
})

test.each([
  { what: 'a host', change: { hosts: [host(A)] } },
  { what: 'a tag', change: { hosts: [host(A), host(B, { tags: { z: '1' } })] } },
  { what: 'a loader', change: { loaders: {} } },
  { what: 'the site', change: { site: { ...input.site, unknown: 'ignore' as const } } },
])('$what that changes is another content', ({ change }) => {
  expect(contentHash(compile({ ...input, ...change }))).not.toBe(contentHash(compile(input)))
})

test('profiles are used by hosts, their intents and rules', () => {
  const intent = { id: A, kind: 'install' as const, profile: 'p2', at: 1 }
  expect(usedProfiles([host(A, { profile: 'p1', intent }), host(B)], [rule('r', 1, { profile: 'p3' })])).toEqual(
    new Set(['p1', 'p2', 'p3']),
  )
})
