import { expect, test } from 'vitest'
import { decodeNtpAnswer, encodeNtpRequest, ntpOffset } from './ntp.ts'

const COOKIE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

/** `at` in seconds since 1900 of the era. */
function answer({ first = 0x24, stratum = 2, at = 3_976_214_400, cookie = COOKIE, fraction = 0x8000_0000 } = {}): Uint8Array {
  const bytes = new Uint8Array(48)
  const view = new DataView(bytes.buffer)
  bytes[0] = first
  bytes[1] = stratum
  bytes.set(cookie, 24)
  view.setUint32(32, at)
  view.setUint32(40, at)
  view.setUint32(44, fraction)
  return bytes
}

test('a question says its version and carries the cookie alone', () => {
  const bytes = encodeNtpRequest(COOKIE)
  expect(bytes).toHaveLength(48)
  expect(bytes[0]).toBe(0x23)
  expect([...bytes.subarray(1, 40)].every((byte) => byte === 0)).toBe(true)
  expect([...bytes.subarray(40)]).toEqual([...COOKIE])
})

test('an answer has its times in epoch milliseconds', () => {
  expect(decodeNtpAnswer(answer(), COOKIE)).toEqual({
    receivedAt: Date.parse('2026-01-01T00:00:00Z'),
    sentAt: Date.parse('2026-01-01T00:00:00.500Z'),
    stratum: 2,
  })
})

test('the era after 2036 is understood', () => {
  expect(decodeNtpAnswer(answer({ at: 63_104, fraction: 0 }), COOKIE).sentAt).toBe(Date.parse('2036-02-08T00:00:00Z'))
})

test('the offset leaves the way there and back out', () => {
  expect(ntpOffset({ receivedAt: 10_100, sentAt: 10_150, stratum: 1 }, 1_000, 1_250)).toBe(9_000)
})

for (const row of [
  { answer: 'too short', bytes: new Uint8Array(47), why: /48 bytes/ },
  { answer: 'from a client', bytes: answer({ first: 0x23 }), why: /mode 4/ },
  { answer: 'to another question', bytes: answer({ cookie: new Uint8Array(8) }), why: /another question/ },
  { answer: 'that refuses', bytes: answer({ stratum: 0 }), why: /refuses/ },
  { answer: 'of a server without time', bytes: answer({ first: 0xe4 }), why: /does not know/ },
  { answer: 'of stratum 16', bytes: answer({ stratum: 16 }), why: /does not know/ },
  { answer: 'without a time', bytes: answer({ at: 0 }), why: /no time/ },
])
  test(`an answer ${row.answer} is refused`, () => expect(() => decodeNtpAnswer(row.bytes, COOKIE)).toThrow(row.why))
