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
  /**
   * Judges a document. A good one is stored, told to the manager and to the listeners; a bad one changes nothing, and why it was refused
   * comes back.
   */
  offer(jws: string): Promise<string | undefined>
  /** Trusts these keys too, by the word of a person at this box; the next state says which ones stay. */
  pin(keys: readonly PublicKey[]): Promise<void>
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
  let { keys, applied } = storedTrust(store.db, managerKeys)
  let running = false
  let offers: Promise<unknown> = Promise.resolve()

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
    return undefined
  }

  const refuse = async (jws: string, revision: number | undefined, why: string) => {
    const digest = digestOf(jws)
    if (kv.get(REFUSED) === digest) return why // said once; the manager offers it until it knows better
    await store.write(() => {
      kv.set(REFUSED, digest)
      outbox.add('state.refused', { ...(revision === undefined ? {} : { revision }), why })
    })
    log.error('state.refused', { revision, why })
    return why
  }

  const consider = async (jws: string) => {
    if (running && jws === kv.get(STATE)) return undefined
    const verdict = await judge(jws)
    if (verdict.kind === 'new' || (verdict.kind === 'same' && !running)) return take(jws, verdict.state)
    if (verdict.kind === 'refused') return refuse(jws, verdict.revision, verdict.why)
    // The same content signed by a younger key: kept, so that it still verifies after the old key went.
    await store.write(() => kv.set(STATE, jws))
    return undefined
  }
  // One after another: two nudges in a row must not race for `applied`.
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = offers.then(task)
    offers = done.catch(() => undefined)
    return done
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
      // Its records were stored with it: nobody waits for the disk now, and on a full one the site runs on them as they are.
      const written = store.write(() => applyInWrite(verdict.state)).catch((error) => log.error('store.write_failed', { error }))
      running = true
      for (const listener of listeners) listener(verdict.state)
      await written
      return verdict.state
    },
    offer: (jws) => inTurn(() => consider(jws)),
    pin: (more) =>
      inTurn(async () => {
        const next = [...more, ...keys.filter((key) => !more.some((one) => one.kid === key.kid))]
        await store.write(() => kv.set(TRUSTED, JSON.stringify(next)))
        keys = next
      }),
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

/** What the store says of a site that was pinned with `managerKeys`: whose signatures count now, and what is applied. */
export function storedTrust(db: Db, managerKeys: readonly PublicKey[]): { keys: readonly PublicKey[]; applied: Applied | undefined } {
  const kv = keyValues(db)
  const floor = kv.get(APPLIED)
  return {
    keys: Keys.parse(JSON.parse(kv.get(TRUSTED) ?? JSON.stringify(managerKeys))),
    applied: floor === undefined ? undefined : Floor.parse(JSON.parse(floor)),
  }
}

/** Names the signed content, whoever signed it. */
export function payloadOf(jws: string): string {
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
