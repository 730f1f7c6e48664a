import type { PublicKey } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { createSigningKey } from './identity.ts'

/** Documents for tests: a manager's key, and what it signs for one site. */
export const SITE = '01900000-0000-7000-8000-00000000000a'
export const MANAGER = createSigningKey()
export const NOW = 1_800_000_000_000

export function publicOf({ kid, kty, crv, x }: PublicKey): PublicKey {
  return { kid, kty, crv, x }
}

export function stateOf(over: object = {}) {
  return {
    protocol: PROTOCOL,
    site: SITE,
    name: 'test',
    revision: 1,
    at: NOW,
    tags: {},
    lans: [],
    hosts: [],
    rules: [],
    profiles: [],
    scripts: [],
    keys: [],
    dns: {},
    ...over,
  }
}

export function commandOf(over: object = {}) {
  return {
    protocol: PROTOCOL,
    id: '01900000-0000-7000-8000-0000000000c1',
    site: SITE,
    at: NOW,
    deadline: NOW + 60_000,
    order: { kind: 'ping' },
    ...over,
  }
}
