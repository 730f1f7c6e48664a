import { expect, test } from 'vitest'
import { createSeals } from './seal.ts'

const key = new Uint8Array(32).fill(1)
const plain = Buffer.from('a token and a passphrase')

test('what is sealed opens with the same code and the same key, and with nothing else', () => {
  const sealed = createSeals(key).seal('code', plain)
  expect(Buffer.from(sealed, 'base64url').includes(plain)).toBe(false)
  expect(Buffer.from(createSeals(key).open('code', sealed)).equals(plain)).toBe(true)
  expect(() => createSeals(key).open('edoc', sealed)).toThrow()
  expect(() => createSeals(new Uint8Array(32).fill(2)).open('code', sealed)).toThrow()
  expect(createSeals(key).seal('code', plain)).not.toBe(sealed)
})

test('a changed bit anywhere, or a missing one, is found', () => {
  const sealed = Buffer.from(createSeals(key).seal('code', plain), 'base64url')
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(() => createSeals(key).open('code', changed.toString('base64url'))).toThrow()
    expect(() => createSeals(key).open('code', sealed.subarray(0, at).toString('base64url'))).toThrow()
  }
})

test('a short key is refused', () => expect(() => createSeals(new Uint8Array(16))).toThrow('at least 32 bytes'))
