import { ipv4ToNumber } from '@bridgehead/shared/model/address.ts'
import { describe, expect, test } from 'vitest'
import { type Ask, decide, type Policy, type Situation } from './decide.ts'

const ip = (last: number) => ipv4ToNumber(`10.0.0.${last}`)
const SERVER = ip(1)
const OTHER = ip(2)
const POLICY: Policy = { server: SERVER, leaseMs: 3_600_000, authoritative: true }
const SHY: Policy = { ...POLICY, authoritative: false }

const ask = (type: Ask['type'], more: Partial<Ask> = {}): Ask => ({ type, ciaddr: 0, unicast: false, ...more })
const discover = (requested?: number) => ask('discover', { requested })
const select = (requested: number, server = SERVER) => ask('request', { requested, server })
const reboot = (requested: number) => ask('request', { requested })
const renew = (ciaddr: number) => ask('request', { ciaddr, unicast: true })
const rebind = (ciaddr: number) => ask('request', { ciaddr })

const owns = (last: number): Situation => ({ held: { ip: ip(last), past: false, standing: 'own' } })
const had = (last: number, standing: 'free' | 'taken' = 'free'): Situation => ({ held: { ip: ip(last), past: true, standing } })
const reserved = (last: number, standing: 'own' | 'free' | 'taken' = 'free'): Situation => ({ reserved: { ip: ip(last), standing } })

interface Row {
  client: string
  ask: Ask
  situation: Situation
  reply: string
  gets?: number
  change?: string
  policy?: Policy
}

const rows: { about: string; rows: Row[] }[] = [
  {
    about: 'DISCOVER (RFC 2131 §4.3.1)',
    rows: [
      { client: 'is new', ask: discover(), situation: { fresh: ip(9) }, reply: 'offer', gets: 9, change: 'offer' },
      { client: 'holds a lease', ask: discover(), situation: owns(7), reply: 'offer', gets: 7, change: 'none' },
      {
        client: 'asks for one address and holds another',
        ask: discover(ip(8)),
        situation: { ...owns(7), named: 'free' },
        reply: 'offer',
        gets: 7,
      },
      { client: 'had a lease that nobody took since', ask: discover(), situation: { ...had(7), fresh: ip(9) }, reply: 'offer', gets: 7 },
      { client: 'had a lease that another got', ask: discover(), situation: { ...had(7, 'taken'), fresh: ip(9) }, reply: 'offer', gets: 9 },
      { client: 'was offered an address before', ask: discover(), situation: { offered: ip(8) }, reply: 'offer', gets: 8 },
      { client: 'asks for a free address', ask: discover(ip(8)), situation: { named: 'free', fresh: ip(9) }, reply: 'offer', gets: 8 },
      { client: "asks for another's address", ask: discover(ip(8)), situation: { named: 'taken', fresh: ip(9) }, reply: 'offer', gets: 9 },
      { client: 'has a reservation', ask: discover(), situation: { ...reserved(50), fresh: ip(9) }, reply: 'offer', gets: 50 },
      {
        client: 'has a lease and, since, a reservation',
        ask: discover(),
        situation: { ...owns(7), ...reserved(50) },
        reply: 'offer',
        gets: 50,
        change: 'offer',
      },
      {
        client: 'has a reservation that another holds',
        ask: discover(),
        situation: { ...reserved(50, 'taken'), fresh: ip(9) },
        reply: 'offer',
        gets: 9,
      },
      { client: 'finds the pool full', ask: discover(), situation: {}, reply: 'none' },
    ],
  },
  {
    about: 'REQUEST, SELECTING (§4.3.2)',
    rows: [
      {
        client: 'takes our offer',
        ask: select(ip(9)),
        situation: { offered: ip(9), named: 'free' },
        reply: 'ack',
        gets: 9,
        change: 'bind',
      },
      { client: 'takes an offer that a restart forgot', ask: select(ip(9)), situation: { named: 'free' }, reply: 'ack', gets: 9 },
      {
        client: "takes another server's offer",
        ask: select(ip(9), OTHER),
        situation: { offered: ip(9), named: 'free' },
        reply: 'none',
        change: 'unoffer',
      },
      {
        client: "takes another server's offer and holds a lease of ours",
        ask: select(ip(9), OTHER),
        situation: owns(7),
        reply: 'none',
        change: 'none',
      },
      { client: 'takes an address that went to another', ask: select(ip(9)), situation: { named: 'taken' }, reply: 'nak' },
      { client: 'takes an address outside the ranges', ask: select(ip(9)), situation: { named: 'unusable' }, reply: 'nak' },
      { client: 'takes an address of another network', ask: select(ip(9)), situation: { named: 'elsewhere' }, reply: 'nak' },
      { client: 'names no address', ask: ask('request', { server: SERVER }), situation: {}, reply: 'none' },
    ],
  },
  {
    about: 'REQUEST, INIT-REBOOT (§4.3.2)',
    rows: [
      { client: 'remembers its lease', ask: reboot(ip(7)), situation: { ...owns(7), named: 'own' }, reply: 'ack', gets: 7, change: 'bind' },
      { client: 'remembers another than its lease', ask: reboot(ip(8)), situation: { ...owns(7), named: 'free' }, reply: 'nak' },
      { client: 'is unknown to us', ask: reboot(ip(8)), situation: { named: 'free' }, reply: 'none' },
      {
        client: 'remembers a lease that ran out, still free',
        ask: reboot(ip(7)),
        situation: { ...had(7), named: 'free' },
        reply: 'ack',
        gets: 7,
      },
      {
        client: 'remembers a lease that ran out and went to another',
        ask: reboot(ip(7)),
        situation: { ...had(7, 'taken'), named: 'taken' },
        reply: 'nak',
      },
      { client: 'comes from another network', ask: reboot(ip(8)), situation: { named: 'elsewhere' }, reply: 'nak' },
      {
        client: 'comes from another network, another server being about',
        ask: reboot(ip(8)),
        situation: { named: 'elsewhere' },
        reply: 'none',
        policy: SHY,
      },
      { client: 'has got a reservation since', ask: reboot(ip(7)), situation: { ...owns(7), named: 'own', ...reserved(50) }, reply: 'nak' },
      { client: 'remembers its reservation', ask: reboot(ip(50)), situation: { named: 'free', ...reserved(50) }, reply: 'ack', gets: 50 },
    ],
  },
  {
    about: 'REQUEST, RENEWING by unicast and REBINDING by broadcast (§4.3.2)',
    rows: [
      { client: 'renews its lease', ask: renew(ip(7)), situation: { ...owns(7), named: 'own' }, reply: 'ack', gets: 7, change: 'bind' },
      { client: 'rebinds its lease', ask: rebind(ip(7)), situation: { ...owns(7), named: 'own' }, reply: 'ack', gets: 7 },
      { client: 'renews what we have forgotten', ask: renew(ip(7)), situation: { named: 'free' }, reply: 'ack', gets: 7, change: 'bind' },
      { client: "rebinds what may be another server's", ask: rebind(ip(7)), situation: { named: 'free' }, reply: 'none' },
      { client: 'renews what another holds', ask: renew(ip(7)), situation: { named: 'taken' }, reply: 'nak' },
      { client: 'renews an address outside the ranges', ask: renew(ip(7)), situation: { named: 'unusable' }, reply: 'nak' },
      { client: 'rebinds an address outside the ranges', ask: rebind(ip(7)), situation: { named: 'unusable' }, reply: 'none' },
      { client: 'rebinds an address of another network', ask: rebind(ip(7)), situation: { named: 'elsewhere' }, reply: 'nak' },
      {
        client: 'renews although it has got a reservation since',
        ask: renew(ip(7)),
        situation: { ...owns(7), named: 'own', ...reserved(50) },
        reply: 'nak',
      },
      {
        client: 'renews although its reservation is held by another',
        ask: renew(ip(7)),
        situation: { ...owns(7), named: 'own', ...reserved(50, 'taken') },
        reply: 'ack',
        gets: 7,
      },
    ],
  },
  {
    about: 'DECLINE, RELEASE, INFORM (§4.3.3 to §4.3.5)',
    rows: [
      {
        client: 'declines its lease',
        ask: ask('decline', { requested: ip(7), server: SERVER }),
        situation: { ...owns(7), named: 'own' },
        reply: 'none',
        change: 'decline',
      },
      {
        client: 'declines an offer',
        ask: ask('decline', { requested: ip(9), server: SERVER }),
        situation: { offered: ip(9), named: 'free' },
        reply: 'none',
        change: 'decline',
      },
      {
        client: "declines another's address",
        ask: ask('decline', { requested: ip(8), server: SERVER }),
        situation: { named: 'taken' },
        reply: 'none',
        change: 'none',
      },
      {
        client: 'declines towards another server',
        ask: ask('decline', { requested: ip(7), server: OTHER }),
        situation: { ...owns(7), named: 'own' },
        reply: 'none',
        change: 'none',
      },
      {
        client: 'releases its lease',
        ask: ask('release', { ciaddr: ip(7), server: SERVER }),
        situation: { ...owns(7), named: 'own' },
        reply: 'none',
        change: 'release',
      },
      {
        client: "releases another's lease",
        ask: ask('release', { ciaddr: ip(8), server: SERVER }),
        situation: { named: 'taken' },
        reply: 'none',
        change: 'none',
      },
      {
        client: 'has an address and wants the rest',
        ask: ask('inform', { ciaddr: ip(77) }),
        situation: { named: 'unusable' },
        reply: 'ack',
        change: 'none',
      },
      { client: 'informs from another network', ask: ask('inform', { ciaddr: 5 }), situation: { named: 'elsewhere' }, reply: 'none' },
    ],
  },
]

for (const { about, rows: group } of rows)
  describe(about, () => {
    for (const { client, ask: asked, situation, reply, gets, change, policy } of group)
      test(`a client that ${client} gets ${reply}${gets === undefined ? '' : ` of .${gets}`}`, () => {
        const decision = decide(asked, situation, policy ?? POLICY)
        expect(decision.reply).toBe(reply)
        expect(decision.why).not.toBe('')
        if (gets !== undefined) expect(decision.ip).toBe(ip(gets))
        if (change !== undefined) expect(decision.change).toBe(change)
        if (reply === 'none' && change === undefined) expect(decision.change).toBe('none')
        if (reply === 'nak') expect(decision.change).toBe('none')
      })
  })

describe('lease times', () => {
  for (const { wishes, gets } of [
    { wishes: undefined, gets: 3_600_000 },
    { wishes: 600_000, gets: 600_000 },
    { wishes: 1_000, gets: 60_000 },
    { wishes: 0xffff_ffff * 1000, gets: 3_600_000 },
  ])
    test(`who wishes ${wishes ?? 'nothing'} gets ${gets} ms`, () =>
      expect(decide({ ...discover(), leaseMs: wishes }, { fresh: ip(9) }, POLICY).leaseMs).toBe(gets))
})
