import { createHash } from 'node:crypto'
import type { Log } from '@bridgehead/shared/log.ts'
import { type PublicKey, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Outbox } from '../store/outbox.ts'
import type { Db, Store } from '../store/store.ts'
import { type Applied, judgeState } from './judge-state.ts'

/** The site's desired state: the last good signed document, and the keys that may sign the next one. */
export interface StateKeeper {
  /** Reads the stored document and verifies it again; undefined when there is none, or it no longer verifies. */
  load(): Promise<SiteState | undefined>
  /** Judges a document from the bus. A good one is stored, told to the manager and to the listeners; a bad one changes nothing. */
  offer(jws: string): Promise<void>
  /** Keys that this site trusts now, for commands as well. */
  trusted(): readonly PublicKey[]
  /** 0 before the first state. */
  revision(): number
  onState(listener: (state: SiteState) => void): void
}

const Keys = z.array(z.object({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() }))
const Header = z.object({ kid: z.string() })
const Floor = z.object({ revision: z.int(), payload: z.string() })
const STATE = 'state'
/** What is applied, kept apart: even where the document itself became unusable, no older one may take its place. */
const APPLIED = 'state.applied'
const TRUSTED = 'state.keys'
const REFUSED = 'state.refused'

export function createStateKeeper({
  site,
  managerKeys,
  applyInWrite,
  store,
  outbox,
  log,
}: {
  site: string
  /** Pinned at enrolment; a good state may replace them. */
  managerKeys: readonly PublicKey[]
  /** Called inside the write that stores a good state: records that must change together with it. Throwing keeps the old state. */
  applyInWrite: (state: SiteState) => void
  store: Store
  outbox: Outbox
  log: Log
}): StateKeeper {
  const listeners: ((state: SiteState) => void)[] = []
  const kv = keyValues(store.db)
  let keys: readonly PublicKey[] = Keys.parse(JSON.parse(kv.get(TRUSTED) ?? JSON.stringify(managerKeys)))
  const floor = kv.get(APPLIED)
  let applied: Applied | undefined = floor === undefined ? undefined : Floor.parse(JSON.parse(floor))
  let running = false
  let offers: Promise<void> = Promise.resolve()

  const judge = async (jws: string) => {
    try {
      const value = await verifyDocument('state', jws, keys)
      return judgeState(value, payloadOf(jws), { site, applied })
    } catch (error) {
      return { kind: 'refused', revision: undefined, why: error instanceof Error ? error.message : String(error) } as const
    }
  }

  const take = async (jws: string, state: SiteState) => {
    const next = rotate(keys, jws, state)
    const now: Applied = { revision: state.revision, payload: payloadOf(jws) }
    try {
      await store.write(() => {
        kv.set(STATE, jws)
        kv.set(APPLIED, JSON.stringify(now))
        kv.set(TRUSTED, JSON.stringify(next))
        applyInWrite(state)
        outbox.add('state.applied', { revision: state.revision })
      })
    } catch (error) {
      return refuse(jws, state.revision, `could not be applied: ${error instanceof Error ? error.message : String(error)}`)
    }
    keys = next
    applied = now
    running = true
    log.info('state.applied', { revision: state.revision })
    for (const listener of listeners) listener(state)
  }

  const refuse = async (jws: string, revision: number | undefined, why: string) => {
    const digest = digestOf(jws)
    if (kv.get(REFUSED) === digest) return // said once; the manager offers it until it knows better
    await store.write(() => {
      kv.set(REFUSED, digest)
      outbox.add('state.refused', { ...(revision === undefined ? {} : { revision }), why })
    })
    log.error('state.refused', { revision, why })
  }

  const consider = async (jws: string) => {
    if (running && jws === kv.get(STATE)) return
    const verdict = await judge(jws)
    if (verdict.kind === 'new' || (verdict.kind === 'same' && !running)) await take(jws, verdict.state)
    else if (verdict.kind === 'refused') await refuse(jws, verdict.revision, verdict.why)
    // The same content signed by a younger key: kept, so that it still verifies after the old key went.
    else await store.write(() => kv.set(STATE, jws))
  }

  return {
    async load() {
      const jws = kv.get(STATE)
      if (jws === undefined) return undefined
      const verdict = await judge(jws)
      if (verdict.kind === 'refused') {
        log.error('state.stored_unusable', { why: verdict.why })
        return undefined
      }
      // Its records were stored with it; on a full disk the site runs on them as they are.
      await store.write(() => applyInWrite(verdict.state)).catch((error) => log.error('store.write_failed', { error }))
      running = true
      for (const listener of listeners) listener(verdict.state)
      return verdict.state
    },
    // One after another: two nudges in a row must not race for `applied`.
    offer(jws) {
      const done = offers.then(() => consider(jws))
      offers = done.catch(() => undefined)
      return done
    },
    trusted: () => keys,
    revision: () => applied?.revision ?? 0,
    onState: (listener) => void listeners.push(listener),
  }
}

/**
 * Keys to trust once `state` is applied: those that it names, and the one that signed it, because the stored document must
 * verify at the next cold start. The signer goes with the first state that another key signed and that no longer names it.
 */
export function rotate(keys: readonly PublicKey[], jws: string, state: Pick<SiteState, 'managerKeys'>): readonly PublicKey[] {
  if (state.managerKeys.length === 0) return keys
  const { kid } = Header.parse(JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()))
  const signer = keys.filter((key) => key.kid === kid && !state.managerKeys.some((named) => named.kid === kid))
  return [...state.managerKeys, ...signer]
}

/** Names the signed content, whoever signed it. */
function payloadOf(jws: string): string {
  return digestOf(jws.split('.')[1] ?? '')
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function keyValues(db: Db) {
  const get = db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?')
  const set = db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
  return { get: (key: string) => get.get(key)?.value, set: (key: string, value: string) => void set.run(key, value) }
}
