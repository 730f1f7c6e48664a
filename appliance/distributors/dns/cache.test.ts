import { decode, encode, type OptAnswer } from 'dns-packet'
import { expect, test } from 'vitest'
import { aged, createCache, createGenerations, toReply } from './cache.ts'

const NOW = 1_000_000
const question = { type: 'A', name: 'www.example.org', class: 'IN' } as const
const a = (ttl: number) => ({ type: 'A', name: 'www.example.org', ttl, data: '192.0.2.1' }) as const
const soa = (ttl: number, minimum: number) =>
  ({
    type: 'SOA',
    name: 'example.org',
    ttl,
    data: { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
  }) as const
const opt: OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 4096,
  flags: 0,
  options: [],
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
}

/** `rcode` 3 is NXDOMAIN, 2 SERVFAIL; 0x0200 is TC. */
const message = (parts: Parameters<typeof encode>[0], flags = 0) =>
  encode({ id: 9, type: 'response', flags, questions: [question], ...parts })

for (const { answer, bytes, seconds } of [
  { answer: 'an address', bytes: message({ answers: [a(300), a(60)] }), seconds: 60 },
  { answer: 'an address of a week', bytes: message({ answers: [a(604_800)] }), seconds: 86_400 },
  { answer: 'an address without a life', bytes: message({ answers: [a(0)] }), seconds: 0 },
  { answer: 'no such name, as the SOA says', bytes: message({ authorities: [soa(900, 120)] }, 3), seconds: 120 },
  { answer: 'no such name, by a SOA about to expire', bytes: message({ authorities: [soa(7, 120)] }, 3), seconds: 7 },
  { answer: 'no such name for a day', bytes: message({ authorities: [soa(86_400, 86_400)] }, 3), seconds: 10_800 },
  { answer: 'no such name, without a SOA', bytes: message({}, 3), seconds: 0 },
  { answer: 'no such record', bytes: message({ authorities: [soa(900, 45)] }), seconds: 45 },
  { answer: 'a failure', bytes: message({}, 2), seconds: 2 },
  { answer: 'a cut answer', bytes: message({ answers: [a(300)] }, 0x0200), seconds: 0 },
])
  test(`${answer} is kept for ${seconds} s`, () => expect(toReply(bytes, NOW).until).toBe(NOW + seconds * 1000))

test('TTLs run down, and an old answer is given 30 s', () => {
  const reply = toReply(message({ answers: [a(300)] }), NOW)
  expect(decode(aged(reply, NOW + 100_900)).answers).toMatchObject([{ ttl: 200 }])
  expect(decode(aged(reply, NOW + 999_000)).answers).toMatchObject([{ ttl: 30 }])
})

test("the forwarder's OPT and what follows it stay behind", () => {
  const glue = { ...a(60), name: 'ns.example.org' }
  const reply = toReply(message({ answers: [a(300)], additionals: [glue, opt, glue] }), NOW)
  expect(decode(reply.bytes).additionals).toMatchObject([{ name: 'ns.example.org' }])
  expect(reply.ttlsAt).toHaveLength(2)
})

test('the cache forgets what was used longest ago once its bytes are spent', () => {
  const cache = createCache<number>(1000)
  cache.set('a', 1, 150)
  cache.set('b', 2, 150)
  cache.get('a')
  cache.set('c', 3, 150)
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3])
  expect(cache.bytes).toBeLessThanOrEqual(1000)
  for (let round = 0; round < 1000; round++) cache.set('same', round, 150)
  expect(cache.bytes).toBeLessThanOrEqual(1000)
  cache.clear()
  expect([cache.size, cache.bytes]).toEqual([0, 0])
})

test('two generations hold at most twice their size, and what is used stays', () => {
  const kept = createGenerations<number>(10)
  for (let key = 0; key < 1000; key++) {
    kept.set(`${key}`, key)
    kept.get('0')
  }
  expect(kept.get('0')).toBe(0)
  expect(kept.get('900')).toBeUndefined()
  expect(kept.get('999')).toBe(999)
})
