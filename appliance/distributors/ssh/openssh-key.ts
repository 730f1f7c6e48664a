import { generateKeyPairSync, randomInt } from 'node:crypto'

// "openssh-key-v1" 0 | cipher | kdf | its options | u32 1 | public key | private section     (OpenSSH, PROTOCOL.key; each a u32 length and bytes)
// private section:  u32 check | the same again | "ssh-ed25519" | public (32) | seed and public (64) | comment | 1 2 3 ... to a multiple of 8
const MAGIC = Buffer.from('openssh-key-v1\0')
const TYPE = 'ssh-ed25519'
const BLOCK = 8

/** A fresh ed25519 key in OpenSSH's own form, without passphrase. */
export function makeOpensshKey(comment: string): string {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const point = Buffer.from(jwk.x ?? '', 'base64url')
  const check = u32(randomInt(2 ** 32))
  const secret = [
    check,
    check,
    text(TYPE),
    field(point),
    field(Buffer.concat([Buffer.from(jwk.d ?? '', 'base64url'), point])),
    text(comment),
  ]
  const bytes = Buffer.concat(secret)
  const padding = Buffer.from(Array.from({ length: (BLOCK - (bytes.length % BLOCK)) % BLOCK }, (_, index) => index + 1))
  const blob = Buffer.concat([text(TYPE), field(point)])
  const whole = Buffer.concat([
    ...[MAGIC, text('none'), text('none'), text(''), u32(1), field(blob)],
    field(Buffer.concat([bytes, padding])),
  ])
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

/** The public half of a key as `makeOpensshKey` makes them; undefined for any other text, which may be a key all the same. */
export function publicHalf(privateKey: string): Buffer | undefined {
  const base64 = /^-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*$/.exec(privateKey)?.[1]
  if (base64 === undefined) return undefined
  const bytes = Buffer.from(base64, 'base64')
  const head = Buffer.concat([MAGIC, text('none'), text('none'), text(''), u32(1)])
  const blob = bytes.subarray(head.length + 4, head.length + 4 + 4 + TYPE.length + 4 + 32)
  const point = blob.subarray(-32)
  const expected = [head, field(Buffer.concat([text(TYPE), field(point)]))]
  const section = bytes.subarray(Buffer.concat(expected).length + 4)
  const [check, again] = [section.subarray(0, 4), section.subarray(4, 8)]
  const public2 = section.subarray(8, 8 + 4 + TYPE.length + 4 + 32)
  const whole = bytes.subarray(0, Buffer.concat(expected).length).equals(Buffer.concat(expected))
  return whole && check.length === 4 && check.equals(again) && public2.equals(blob) ? blob : undefined
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const field = (bytes: Buffer): Buffer => Buffer.concat([u32(bytes.length), bytes])
const text = (value: string): Buffer => field(Buffer.from(value))
