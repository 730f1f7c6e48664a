import { createHash } from 'node:crypto'
import type { ServerHostKeyAlgorithm } from 'ssh2'

/** One public host key as it was pinned. */
export interface HostKey {
  type: string
  blob: Buffer
}

const ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/** Reads OpenSSH public key lines (`ssh-ed25519 AAAA... comment`); lines that hold no key are left out. */
export function parseHostKeys(lines: readonly string[]): HostKey[] {
  return lines.flatMap((line) => {
    const [type, base64] = line.trim().split(/\s+/)
    if (!type || !base64 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return []
    const blob = Buffer.from(base64, 'base64')
    return typeOf(blob) === type ? [{ type, blob }] : []
  })
}

export function isPinned(pinned: readonly HostKey[], presented: Buffer): boolean {
  return pinned.some((key) => key.blob.equals(presented))
}

/** `ssh-ed25519 SHA256:...`, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `${typeOf(blob) ?? 'unknown'} SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** Pinned kinds first, so that a host with several keys presents one that is known. The others stay, to be told apart in the refusal. */
export function preferredAlgorithms(pinned: readonly HostKey[]): ServerHostKeyAlgorithm[] {
  const types = new Set(pinned.map((key) => key.type))
  const known = (name: ServerHostKeyAlgorithm) => types.has(name.startsWith('rsa-') ? 'ssh-rsa' : name)
  return [...ALGORITHMS.filter(known), ...ALGORITHMS.filter((name) => !known(name))]
}

/** Why the host is not trusted, and what to do. */
export function refusal(ip: string, pinned: readonly HostKey[], presented: Buffer): string {
  const expected = pinned.map((key) => fingerprint(key.blob)).join(' or ')
  return `${ip} presented the host key ${fingerprint(presented)}, expected ${expected}; if the machine was reinstalled or replaced by hand, install it again through Bridgehead or pin its new key, else another machine answers at this address`
}

/** A public key blob starts with its type, length first (RFC 4253 §6.6). */
function typeOf(blob: Buffer): string | undefined {
  if (blob.length < 4) return undefined
  const length = blob.readUInt32BE(0)
  return length > 0 && length <= 64 && blob.length > 4 + length ? blob.toString('latin1', 4, 4 + length) : undefined
}
