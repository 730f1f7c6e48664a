import { exportJWK, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { bounds, broadcast, Cidr4, Mac, netmask, networkOf, overlaps } from './address.ts'
import { EVENT_KINDS, parseEvent } from './event.ts'
import { SignatureError, signDocument, verifyDocument } from './signed.ts'
import { checkLans, Lan, NewLan, SiteState } from './state.ts'
import { matches, parseSelector, Selector, SelectorError, Tags } from './tags.ts'

test('address maths agree with each other', () => {
  expect(bounds('192.168.1.7/24')).toEqual({ first: 0xc0a80100, last: 0xc0a801ff, prefix: 24 })
  expect(networkOf('10.1.2.3/8')).toBe('10.0.0.0/8')
  expect(broadcast('10.0.0.0/30')).toBe('10.0.0.3')
  expect([0, 8, 24, 30, 32].map(netmask)).toEqual(['0.0.0.0', '255.0.0.0', '255.255.255.0', '255.255.255.252', '255.255.255.255'])
  expect(overlaps('192.168.0.0/16', '192.168.1.0/24')).toBe(true)
  expect(overlaps('192.168.0.0/24', '192.168.1.0/24')).toBe(false)
  expect(bounds('0.0.0.0/0')).toEqual({ first: 0, last: 0xffffffff, prefix: 0 })
})

test('addresses are read kindly and kept canonical', () => {
  expect(Mac.parse('52-54-00-AB-CD-EF')).toBe('52:54:00:ab:cd:ef')
  expect(Mac.safeParse('52:54:00').success).toBe(false)
  expect(Cidr4.safeParse('192.168.1.5/24').error?.issues[0]?.message).toContain('without host bits')
})

const tags = { region: 'nuremberg', role: 'edge', rack: '' }
for (const [selector, hit] of [
  ['', true],
  ['region=nuremberg', true],
  ['region==nuremberg,role in (edge, db)', true],
  ['region!=berlin', true],
  ['zone!=b', true],
  ['!gpu,rack', true],
  ['role notin (edge)', false],
  ['zone notin (b)', true],
  ['gpu', false],
  ['role in (db)', false],
  ['constructor', false],
] as const)
  test(`selector "${selector}" ${hit ? 'picks' : 'passes over'} an edge box in Nuremberg`, () => {
    expect(matches(parseSelector(selector), tags)).toBe(hit)
  })

for (const [selector, expected, understood] of [
  ['role in (edge', 'closing parenthesis is missing', 'role in '],
  ['role in ()', 'expected values between commas', 'role in ('],
  ['zone=b, role in (a, ,c)', 'expected values between commas', 'zone=b, role in (a,'],
  ['a b', 'selector term "a b": expected key', 'a '],
  ['rack, role in edge', 'selector term "role in edge": expected key', 'rack, role in '],
  ['region=nuremberg,,rack', 'selector term "": expected key', 'region=nuremberg,'],
  ['region=new york', 'expected key', 'region=new'],
  ['=x', 'expected key', ''],
  ['role)', 'do not match, at character 5', 'role'],
] as const)
  test(`selector "${selector}" is refused with its reason and its place`, () => {
    expect(Selector.safeParse(selector).error?.issues[0]?.message).toContain(expected)
    expect(placeOf(selector)).toBe(understood)
  })

function placeOf(selector: string): string | undefined {
  try {
    parseSelector(selector)
  } catch (error) {
    return error instanceof SelectorError ? selector.slice(0, error.at) : undefined
  }
  return undefined
}

test('a tag value with a comma is refused', () => expect(Tags.safeParse({ role: 'a,b' }).success).toBe(false))

const lan = { name: 'main', subnet: '192.168.1.0/24', address: '192.168.1.2' }
for (const row of [
  {
    what: 'its appliance elsewhere',
    lan: { ...lan, address: '192.168.2.2' },
    path: 'address',
    says: '192.168.2.2 lies outside lan "main" (192.168.1.0/24)',
  },
  {
    what: 'a range past its end',
    lan: { ...lan, ranges: [{ from: '192.168.1.10', to: '192.168.1.255' }] },
    path: 'ranges.0.to',
    says: 'lies outside',
  },
  {
    what: 'a range backwards',
    lan: { ...lan, ranges: [{ from: '192.168.1.20', to: '192.168.1.10' }] },
    path: 'ranges.0',
    says: 'starts at 192.168.1.20',
  },
  { what: 'no room for hosts', lan: { ...lan, subnet: '192.168.1.2/31' }, path: 'subnet', says: '/30 or shorter' },
  { what: 'a key nobody knows', lan: { ...lan, gateway: '192.168.1.1' }, path: '', says: 'gateway' },
])
  test(`a lan with ${row.what} is refused, and the field is named`, () => {
    const issue = NewLan.safeParse(row.lan).error?.issues[0]
    expect(issue?.path.join('.')).toBe(row.path)
    expect(issue?.message).toContain(row.says)
  })

test('LANs of one site may not overlap', () => {
  const lans = [Lan.parse({ ...lan, subnet: '192.168.0.0/16' }), Lan.parse({ ...lan, name: 'guest' })]
  const issue = z.array(Lan).superRefine(checkLans).safeParse(lans).error?.issues[0]
  expect(issue?.path).toEqual([1, 'subnet'])
  expect(issue?.message).toContain('overlaps lan "main" (192.168.0.0/16) of the same site')
})

test('a state from a newer manager is read; what is unknown is passed over', () => {
  const newer = {
    protocol: 2,
    site: '01890000-0000-7000-8000-000000000001',
    name: 's',
    revision: 3,
    at: 1,
    tags: {},
    lans: [{ ...lan, vlan: 7 }],
    hosts: [],
    rules: [],
    profiles: [],
    scripts: [],
    keys: [],
    dns: {},
    weather: 'fine',
  }
  expect(SiteState.parse(newer).lans[0]).not.toHaveProperty('vlan')
})

test('an event of a known kind is checked, one of a newer kind is kept as unknown', () => {
  const head = { id: '01890000-0000-7000-8000-000000000001', at: 5 }
  expect(parseEvent({ ...head, kind: 'state.applied', data: { revision: 4 } })).toMatchObject({
    known: true,
    event: { data: { revision: 4 } },
  })
  expect(() => parseEvent({ ...head, kind: 'state.applied', data: { revision: 'four' } })).toThrow('revision')
  expect(parseEvent({ ...head, kind: 'tea.ready', data: 1 })).toEqual({ known: false, ...head, kind: 'tea.ready' })
  expect(parseEvent({ ...head, kind: 'toString', data: 1 }).known).toBe(false)
  expect(EVENT_KINDS.length).toBeGreaterThan(20)
})

test('a signed document is read only as what it is, by whom it is trusted', async () => {
  const key = async (kid: string) => {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    const jwk = await exportJWK(pair.privateKey)
    return { kid, kty: 'OKP' as const, crv: 'Ed25519' as const, x: jwk.x ?? '', d: jwk.d ?? '' }
  }
  const [ours, theirs] = [await key('a'), await key('b')]
  const token = await signDocument('state', { revision: 1 }, ours)
  expect(await verifyDocument('state', token, [theirs, ours])).toEqual({ revision: 1 })
  await expect(verifyDocument('command', token, [ours])).rejects.toThrow('expected a signed command, got "bridgehead-state"')
  await expect(verifyDocument('state', token, [theirs])).rejects.toThrow('key "a", which this side does not trust')
  await expect(verifyDocument('state', token, [{ ...theirs, kid: 'a' }])).rejects.toThrow(SignatureError)
  const [head, , signature] = token.split('.')
  await expect(
    verifyDocument('state', `${head}.${Buffer.from('{"revision":2}').toString('base64url')}.${signature}`, [ours]),
  ).rejects.toThrow(SignatureError)
})
