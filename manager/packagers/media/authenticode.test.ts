import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { signaturesOf } from './authenticode.ts'

/** A program of one instruction for x86_64, signed by a certificate of its own: osslsigncode sign -h sha256. */
const SIGNED = gunzipSync(
  Buffer.from(
    [
      'H4sIAAAAAAACA/ONYiAbOABxgCsDQ0obI4r4BwY9Jm4mJgYGJiRBASiGEBCKCYuhChDxaF8GBi4i3SFAjCIWBoYXrAw0A3olqRUlDFA/wfzGhOG1BIZBBg4z',
      'jIKRDMB5AphXDZpYr7JxarV5tH3nZWRnWtDEegwodIiJkdGQ34CXjTOhzYMxlZmFiZGVwaCSjUubjZGFscmciZFlQbZBpoEJkgi/gRozE3vDAoVFcg0yDDZg',
      '6M+QxFDMkM+Qw5DKUALEdiBoYIhmMItCJSPLWcM2Kdkfd7r69M58137mxKX20WOed3Xxf+8T11T2LGhitjFoYrYwaGJSWMDMxMjEJCK9MkeP45KRxMrVWqY1',
      '/+Qa6uPV7oPMhXqFkRvoYEVDeQNZNuZQFmYeMaeizJT01IzUxBSFktTiEoXizPS81CIDOXFeIzNDQyMjQwsDYyOTKHFeEyDX0BzKJcaIJkYlZIuBHmJuYuQH',
      'hiwjF1MTIyPDxAZ724qiM1d//bnszpa820p55pvX4o/Wpz5/8sJm35pN+Sl86YffqkopOKVvXuT9XXqv7eUgLZuzS09pB9wIPMf1c5u2fdO00693PDNevX/+',
      'swmqy7yt/377ecVnf0n006273FoMLwtcf8D07fgMa5sHrMwMBXV/59S7MT/9LRc6ZaZH6FWm8wUdnNvu7mpbkr0tYMVnyYWt34TTtQWPv3PvP2TA/TzC1PiX',
      '1EGW0nT1EL7ln17zzD9bPXdW/9YV/BaufdfLVFNXWXxOfxSUN/dCW8feL+Hu823O7dp4PurhHPWjrGdUJk/lz145mbf/Tor2hJ66ndfqvytOmX723vU53R+P',
      'z4r8bOL5/5uu1kMmZkYGxsUZBmnggJTlYxFjEfk/538q157QnmmruLK1Ly+tvvDkb7aBPEhamUXCQKwBuwJ+kAJhRsb/LKwGzEDKQBgkoMrCY8DFxgFMiKys',
      '7MzMaImAGRQFRk+nTzToNwx69K7AxnGWu9BsKUXdicvc+GeYhPfnZ3YnHOrgqry8Nez8x3t/H60SvzxLIYrrfMnuCz6lpzWu853do2DN/H5VVpE272FGDs4F',
      'oY08Fc+5i7xv7lxwrY55gku/keylbbdnPv58nIslwOcca1NaU3eCxOZnN28xVD7Xvtz2JEtIzCVZ7Xlmtkrx/5yISZMYA0JscycK7s51VX/IKru0aF98QUvn',
      'bz8rBxdhm4bN877pKt4y/Moj0Dtzw5xj+Z9FV56ZE7hUlKvV9DCLp879m8ob0sOUj3/92bGg+fuOhvZ/FVEClxMerRXi2hGdH5taUP43OjBWQmGyGt+cExI8',
      'JSbKN/aylxk2Mb4HpsfXwGxtYElEmsadvZCy7YLGDgNJeFhzMhvyIJcPBjIIKVZDfrRsBpRFqOU25DNA1itqoI/Qy2KoxKKgE9/TL3Tx9mMJtcodzzdpaajK',
      '1lbf7DVzUGOQn+D6Sm8TWv5jaWJk4KsLv3rxhd3yC1fTP9592dNkOrMhLy1E+XwbY/79NZGp9dfbUh7vtth9lH8yn8M0OUW1gIQtQkUrvf4sfL/nao1D99XN',
      'B1Zmv7zr4XjAI5Yt6Kid9cvwpWzOFudy1h83vhraZH5g0v3vT7n2eTUuO7JT+nBm/xvtmaEZ7LUvvjj5WYZMu3ucryZ+i4qL3tLai9KXM4tY9bdOF9uV+es6',
      'B5O+rbrs9qmHMs8qaQT+LPjInvj5c3tqvxv725VSHwsk7J5urb/X+LTl5noeoY3Lphboy/iysKb+V/G0sj+axnQ70fOoXuCPflHd0pw/G56HCla8/puxbL6F',
      'qcv+Bv2sbzybd4XfP/nkwsfd1ZIq0CoOALbv2aDoCQAA',
    ].join(''),
    'base64',
  ),
)
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
