import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { decode, encode } from 'dns-packet'
import { expect, test } from 'vitest'
import { createCounters } from './counters.ts'
import { encodeQuestion } from './encode.ts'
import { createResolver, RESOLVER_LIMITS } from './resolver.ts'
import { nameServers } from './system.ts'
import { parseServer, type Server, UpstreamError } from './upstream.ts'

const asked = (name = 'www.example.org') => ({
  question: encodeQuestion(name, 1),
  key: `1 ${name}`,
  dnssecOk: false,
  checkingDisabled: false,
})
type Answer = (query: Buffer, server: Server, tcp: boolean) => Buffer | 'silence'

const good = (query: Buffer, data = '192.0.2.1', flags = 0) => {
  const { questions = [] } = decode(query)
  return encode({ type: 'response', flags, questions, answers: [{ type: 'A', name: questions[0]?.name ?? '', ttl: 60, data }] })
}
const bare = (query: Buffer, rcode: number) => encode({ type: 'response', flags: rcode, questions: decode(query).questions ?? [] })

/** A resolver over pretended forwarders 192.0.2.53 and .54; silence costs the whole timeout. */
function rig(answer: Answer, limits = RESOLVER_LIMITS) {
  const clock = steppedClock(1_000_000)
  const counters = createCounters()
  const trace: string[] = []
  const resolver = createResolver({
    clock,
    log: silentLog,
    counters,
    limits,
    servers: () => [
      { ip: '192.0.2.53', port: 53 },
      { ip: '192.0.2.54', port: 53 },
    ],
    upstream: {
      async ask(server, query, { tcp, timeoutMs }) {
        trace.push(`${server.ip.slice(-2)}${tcp ? ' tcp' : ''}`)
        await Promise.resolve()
        const message = answer(query, server, tcp)
        if (message !== 'silence') return message
        clock.advance(timeoutMs)
        throw new UpstreamError('silence')
      },
    },
  })
  return { clock, counters, trace, resolver }
}

const address = (message: Buffer | undefined) =>
  message &&
  decode(message)
    .answers?.map((one) => ('data' in one ? one.data : undefined))
    .join()

test('an answer is kept, and asked for again once its time is over', async () => {
  const { clock, trace, resolver } = rig((query) => good(query))
  expect(resolver.cached(asked())).toBeUndefined()
  expect(address(await resolver.resolve(asked()))).toBe('192.0.2.1')
  expect(address(resolver.cached(asked()))).toBe('192.0.2.1')
  clock.advance(59_999)
  expect(resolver.cached(asked())).toBeDefined()
  clock.advance(1)
  expect(resolver.cached(asked())).toBeUndefined()
  await resolver.resolve(asked())
  expect(trace).toEqual(['53', '53'])
})

test('answers with and without DNSSEC are kept apart', async () => {
  const { resolver } = rig((query) => good(query))
  await resolver.resolve(asked())
  expect(resolver.cached({ ...asked(), dnssecOk: true })).toBeUndefined()
})

test('who asks the same at the same time shares one query', async () => {
  const { trace, counters, resolver } = rig((query) => good(query))
  await Promise.all([resolver.resolve(asked()), resolver.resolve(asked()), resolver.resolve(asked())])
  expect(trace).toEqual(['53'])
  expect(counters.coalesced).toBe(2)
  expect(resolver.inFlight()).toBe(0)
})

for (const { forwarder, answer, trace } of [
  { forwarder: 'is silent', answer: (query, server) => (server.ip.endsWith('53') ? 'silence' : good(query)), trace: ['53', '54'] },
  { forwarder: 'fails', answer: (query, server) => (server.ip.endsWith('53') ? bare(query, 2) : good(query)), trace: ['53', '54'] },
  { forwarder: 'refuses us', answer: (query, server) => (server.ip.endsWith('53') ? bare(query, 5) : good(query)), trace: ['53', '54'] },
  {
    forwarder: 'cuts its answer',
    answer: (query, _, tcp) => (tcp ? good(query) : good(query, '0.0.0.0', 0x0200)),
    trace: ['53', '53 tcp'],
  },
  { forwarder: 'knows no EDNS', answer: (query) => (query.readUInt16BE(10) === 1 ? bare(query, 1) : good(query)), trace: ['53', '53'] },
  { forwarder: 'sends rubbish', answer: (query, server) => (server.ip.endsWith('53') ? rubbish(query) : good(query)), trace: ['53', '54'] },
] as { forwarder: string; answer: Answer; trace: string[] }[])
  test(`a forwarder that ${forwarder} is got over`, async () => {
    const made = rig(answer)
    expect(address(await made.resolver.resolve(asked()))).toBe('192.0.2.1')
    expect(made.trace).toEqual(trace)
  })

function rubbish(query: Buffer): Buffer {
  const message = good(query)
  message.writeUInt16BE(9, 6) // nine answers, of which one is there
  return message
}

test('a silent forwarder is asked last for a while', async () => {
  const { clock, trace, resolver } = rig((query, server) => (server.ip.endsWith('53') ? 'silence' : good(query)))
  await resolver.resolve(asked('a.example'))
  await resolver.resolve(asked('b.example'))
  clock.advance(10_000)
  await resolver.resolve(asked('c.example'))
  expect(trace).toEqual(['53', '54', '54', '53', '54'])
})

test('when all are silent there is no answer, within the time that clients wait', async () => {
  const { clock, resolver } = rig(() => 'silence')
  const start = clock.now()
  expect(await resolver.resolve(asked())).toBeUndefined()
  expect(clock.now() - start).toBeLessThanOrEqual(4500)
})

test('while the uplink is away an old answer is given, for a day at most', async () => {
  let up = true
  const { clock, counters, resolver } = rig((query) => (up ? good(query) : 'silence'))
  await resolver.resolve(asked())
  up = false
  clock.advance(3_600_000)
  const old = await resolver.resolve(asked())
  expect(decode(old ?? Buffer.alloc(0)).answers).toMatchObject([{ ttl: 30, data: '192.0.2.1' }])
  expect(counters.stale).toBe(1)
  clock.advance(86_400_000)
  expect(await resolver.resolve(asked())).toBeUndefined()
})

test('SERVFAIL of all forwarders is passed on and kept for 2 s only', async () => {
  const { clock, resolver } = rig((query) => bare(query, 2))
  expect((await resolver.resolve(asked()))?.readUInt16BE(2)).toSatisfy((flags: number) => (flags & 15) === 2)
  expect(resolver.cached(asked())).toBeDefined()
  clock.advance(2000)
  expect(resolver.cached(asked())).toBeUndefined()
})

test('more questions under way than allowed are turned away at once', async () => {
  const { counters, resolver } = rig((query) => good(query), { ...RESOLVER_LIMITS, inFlight: 2 })
  const all = await Promise.all(['a', 'b', 'c'].map((name) => resolver.resolve(asked(`${name}.example`))))
  expect(all.map((message) => message !== undefined)).toEqual([true, true, false])
  expect(counters.overloaded).toBe(1)
})

for (const { text, server } of [
  { text: '192.0.2.1', server: { ip: '192.0.2.1', port: 53 } },
  { text: '192.0.2.1#5353', server: { ip: '192.0.2.1', port: 5353 } },
  { text: '192.0.2.1:5353', server: { ip: '192.0.2.1', port: 5353 } },
  { text: 'fd00::1', server: { ip: 'fd00::1', port: 53 } },
  { text: '[fd00::1]:5353', server: { ip: 'fd00::1', port: 5353 } },
  { text: 'dns.example.org', server: undefined },
  { text: '192.0.2.1#99999', server: undefined },
  { text: '', server: undefined },
])
  test(`"${text}" is ${server ? 'a forwarder' : 'no forwarder'}`, () => expect(parseServer(text)).toEqual(server))

test("the machine's name servers are read in their order", () => {
  expect(nameServers('# nameserver 1.1.1.1\nsearch x\nnameserver 192.0.2.1\n nameserver\tfd00::1 # own\n')).toEqual([
    '192.0.2.1',
    'fd00::1',
  ])
})
