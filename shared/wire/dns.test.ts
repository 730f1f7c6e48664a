import { expect, test } from 'vitest'
import { type DnsQuery, isReplyTo, readEdns, readName, readQuery, readRecords } from './dns.ts'
import { WireError } from './errors.ts'

/** Bytes from hexadecimal text and 'quoted' ASCII. */
function bytes(text: string): Uint8Array {
  const parts = text.match(/'[^']*'|[0-9a-f]{2}/gi) ?? []
  return Uint8Array.from(
    parts.flatMap((part) =>
      part.startsWith("'") ? [...part.slice(1, -1)].map((char) => char.charCodeAt(0)) : [Number.parseInt(part, 16)],
    ),
  )
}

const HEAD = '1234 0100 0001 0000 0000 0000'
const QUESTION = "03 'WwW' 07 'example' 00 0001 0001"
const OPT = '00 0029 04d0 00008000 0000'

test('a query is read in place', () => {
  const query = readQuery(bytes(HEAD + QUESTION))
  expect(query).toEqual<DnsQuery>({
    id: 0x1234,
    opcode: 0,
    recursionDesired: true,
    checkingDisabled: false,
    question: { name: 'www.example', type: 1, class: 1, end: 29 },
  })
})

test('EDNS tells size, version and DO', () => {
  const message = bytes(`1234 0100 0001 0000 0000 0001 ${QUESTION} ${OPT}`)
  expect(readEdns(message, readQuery(message).question)).toEqual({ udpBytes: 1232, version: 0, dnssecOk: true })
  const plain = bytes(HEAD + QUESTION)
  expect(readEdns(plain, readQuery(plain).question)).toBeUndefined()
})

for (const { what, message } of [
  { what: 'no whole header', message: '1234 0100 0001' },
  { what: 'a response', message: `1234 8100 0001 0000 0000 0000 ${QUESTION}` },
  { what: 'no question', message: '1234 0100 0000 0000 0000 0000' },
  { what: 'two questions', message: `1234 0100 0002 0000 0000 0000 ${QUESTION} ${QUESTION}` },
  { what: 'a name that ends early', message: `${HEAD} 07 'exam'` },
  { what: 'a name that points at itself', message: `${HEAD} c00c 0001 0001` },
  { what: 'a label of an unknown type', message: `${HEAD} 41 'a' 00 0001 0001` },
  { what: 'a question without its class', message: `${HEAD} 01 'a' 00 0001` },
  { what: 'a name of more than 255 bytes', message: `${HEAD} ${"3f '".concat('a'.repeat(63), "' ").repeat(4)} 01 'a' 00 0001 0001` },
])
  test(`${what} is no query`, () => expect(() => readQuery(bytes(message))).toThrow(WireError))

for (const { what, tail } of [
  { what: 'two OPT records', tail: `0002 ${QUESTION} ${OPT} ${OPT}` },
  { what: 'an OPT that ends early', tail: `0001 ${QUESTION} 00 0029 04d0 0000` },
  { what: 'an OPT with more data than there is', tail: `0001 ${QUESTION} 00 0029 04d0 00000000 0009` },
  { what: 'a count without its record', tail: `0001 ${QUESTION}` },
])
  test(`${what} is refused`, () => {
    const message = bytes(`1234 0100 0001 0000 0000 ${tail}`)
    expect(() => readEdns(message, readQuery(message).question)).toThrow(WireError)
  })

test('odd bytes in names are spelt so that they meet no other name', () => {
  expect(readName(bytes("04 'a.b\\' 02 00ff 00"), 0)).toEqual({ name: 'a\\.b\\\\.\\000\\255', end: 9 })
  expect(readName(bytes('00'), 0)).toEqual({ name: '', end: 1 })
})

test('compressed names are followed and the place behind them is kept', () => {
  const message = bytes("01 'b' 00 01 'a' c000 ff")
  expect(readName(message, 3)).toEqual({ name: 'a.b', end: 7 })
})

test('records are found with the places of their TTLs', () => {
  const message = bytes(`1234 8180 0001 0001 0000 0000 ${QUESTION} c00c 0001 0001 0000003c 0004 0a000001`)
  expect(readRecords(message, 29)).toEqual([{ section: 'answer', type: 1, class: 1, ttl: 60, start: 29, ttlAt: 35, dataAt: 41, end: 45 }])
})

const ASKED = `${HEAD} 03 'www' 07 'example' 00 0001 0001`
for (const { reply, message, fits } of [
  { reply: 'the same question in other letters', message: `1234 8180 0001 0000 0000 0000 ${QUESTION}`, fits: true },
  { reply: 'another id', message: `1235 8180 0001 0000 0000 0000 ${QUESTION}`, fits: false },
  { reply: 'a query', message: `1234 0100 0001 0000 0000 0000 ${QUESTION}`, fits: false },
  { reply: 'another name', message: "1234 8180 0001 0000 0000 0000 03 'wwx' 07 'example' 00 0001 0001", fits: false },
  { reply: 'another type', message: "1234 8180 0001 0000 0000 0000 03 'www' 07 'example' 00 001c 0001", fits: false },
  { reply: 'half a question', message: "1234 8180 0001 0000 0000 0000 03 'www'", fits: false },
  { reply: 'an error without a question', message: '1234 8182 0000 0000 0000 0000', fits: true },
  { reply: 'success without a question', message: '1234 8180 0000 0000 0000 0000', fits: false },
])
  test(`${reply} ${fits ? 'answers' : 'does not answer'} a query`, () => expect(isReplyTo(bytes(ASKED), bytes(message))).toBe(fits))

test('100,000 mutated messages are read or refused, and nothing else', () => {
  const seeds = [
    `${HEAD}${QUESTION}`,
    `1234 8180 0001 0001 0001 0001 ${QUESTION} c00c 0001 0001 0000003c 0004 0a000001 c010 0006 0001 0000003c 0000 ${OPT}`,
  ].map(bytes)
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let refused = 0
  for (let round = 0; round < 100_000; round++) {
    const message = Uint8Array.from(seeds[round % seeds.length] ?? []).subarray(0, random(80))
    for (let change = random(6); change > 0; change--) message[random(message.length)] = random(256)
    try {
      const { question } = readQuery(message)
      readEdns(message, question)
      readRecords(message, question.end)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      refused++
    }
  }
  expect(refused).toBeGreaterThan(10_000)
  expect(refused).toBeLessThan(100_000)
})
