import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { signaturesOf } from './authenticode.ts'
import { SIGNED_PROGRAM } from './testing-programs.ts'

const SIGNED = gunzipSync(Buffer.from(SIGNED_PROGRAM, 'base64'))
const altered = (change: (bytes: Buffer) => void) => {
  const bytes = Buffer.from(SIGNED)
  change(bytes)
  return bytes
}
const ENTRY = 0x58 + 112 + 32

test('a signed program tells who signed it', () => {
  expect(signaturesOf(SIGNED, 'x86_64')).toEqual([{ signer: 'Bridgehead test signer', issuer: 'Bridgehead test signer', digest: 'sha256' }])
})

test('the checksum is no part of what is signed', () => {
  expect(
    signaturesOf(
      altered((bytes) => bytes.writeUInt32LE(77, 0x58 + 64)),
      'x86_64',
    ),
  ).toHaveLength(1)
})

for (const { program, bytes, says } of [
  {
    program: 'with one bit of its code turned around',
    bytes: altered((all) => all.writeUInt8(0xc2, 0x200)),
    says: 'was changed after it was signed',
  },
  {
    program: 'with one bit of its head turned around',
    bytes: altered((all) => all.writeUInt8(11, 0x58 + 68)),
    says: 'was changed after it was signed',
  },
  {
    program: 'with something behind its signature',
    bytes: Buffer.concat([SIGNED, Buffer.alloc(8)]),
    says: 'was changed after it was signed',
  },
  {
    program: 'whose signature was changed',
    bytes: altered((all) => all.writeUInt8((all.at(-10) ?? 0) ^ 1, all.length - 10)),
    says: 'does not fit the key',
  },
  { program: 'whose table was taken away', bytes: altered((all) => all.fill(0, ENTRY, ENTRY + 8)), says: 'carries no signature' },
  { program: 'whose table lies outside', bytes: altered((all) => all.writeUInt32LE(1e9, ENTRY)), says: 'outside the file' },
  { program: 'whose table is no PKCS#7', bytes: altered((all) => all.fill(0xff, 0x408)), says: 'cannot be read' },
  { program: 'of text', bytes: Buffer.from('#!ipxe\n'.repeat(100)), says: 'no EFI program' },
  { program: 'that is empty', bytes: Buffer.alloc(0), says: 'no EFI program' },
])
  test(`a program ${program} is refused`, () => {
    expect(() => signaturesOf(bytes, 'x86_64')).toThrow(says)
  })

test('a program for another architecture is refused', () => {
  expect(() => signaturesOf(SIGNED, 'arm64')).toThrow('is for x86_64; expected one for arm64')
})

test('a program cut off anywhere, or with any byte of its tail changed, never ends in anything but a SignatureError', () => {
  for (let length = 0; length < SIGNED.length; length += 7) expectRefusal(SIGNED.subarray(0, length))
  for (let at = 0x400; at < SIGNED.length; at += 3) expectRefusal(altered((all) => all.writeUInt8((all[at] ?? 0) ^ 0x81, at)))
})

function expectRefusal(bytes: Buffer): void {
  try {
    signaturesOf(bytes, 'x86_64') // some bytes of a signature are not signed
  } catch (error) {
    expect(error).toMatchObject({ code: 'signature' })
  }
}
