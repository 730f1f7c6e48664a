import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { EnrolAnswer, EnrolPending, type EnrolRequest, type RestoredLease } from '@bridgehead/shared/model/enrolment.ts'
import { signDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db, Store } from '../store/store.ts'
import { writeFileAtomically } from './atomic-file.ts'
import { backoffMs } from './backoff.ts'
import type { Hardware } from './hardware.ts'
import type { Identity } from './identity.ts'
import { hashToken, type Membership, readMembership, readSite, writeMembership } from './membership.ts'
import { askDate, postJson } from './post-json.ts'

/** What `bridgehead.json` says of the way to the manager. */
export type EnrolSettings = Pick<Config, 'file' | 'manager' | 'fingerprint' | 'token' | 'proxy'> & {
  /** Own address on the way there: when it changes, it is time to ask. */
  from?: string | undefined
}

/** How far the enrolment is, for screens. */
export type EnrolProgress =
  /** The LAN is served first: nothing was looked at yet. */
  | { kind: 'starting' }
  /** No manager is set, or the box waits for a token. */
  | { kind: 'idle' }
  | { kind: 'asking' }
  /** `code` shall be typed at the manager before `expiresAt` (epoch ms by the manager's clock). */
  | { kind: 'claim'; code: string; expiresAt?: number | undefined }
  /** Another box spent the token; `code` is what a person compares. */
  | { kind: 'pending'; code: string }
  | { kind: 'refused' | 'failed'; why: string }
  | { kind: 'member' }

export interface EnrolDeps {
  /** A function where the file may change while the box waits: it is read anew for each try. */
  config: EnrolSettings | (() => EnrolSettings)
  identity: Identity
  hardware: Hardware
  version: string
  store: Store
  clock: Clock
  random: () => number
  log: Log
  signal: AbortSignal
  /** Called inside the write that keeps the membership, with what the site's last box had promised. */
  restore?: (db: Db, leases: readonly RestoredLease[]) => void
  /** Puts `text` in the place of `bridgehead.json`. Default: an atomic write of the file. */
  writeConfig?: (text: string) => Promise<void>
  onProgress?: (progress: EnrolProgress) => void
  /** Told the manager's clock, epoch ms, as often as it answers. */
  onDate?: (ms: number) => void
}

/** A person types the code and looks at the box. */
const CLAIM_MS = 3_000
/** How often settings that may change are looked at in between. */
const IDLE_MS = 1_000

/**
 * This box's membership: from the store, without any network, when it has one; else by its token, or, without one, by a claim code that
 * a person types at the manager. As often as it takes. The answer is on disk before anyone acts on it, and only then the token is erased
 * from `bridgehead.json`. A box that died in between asks again with the same keys and gets the same answer. Resolves undefined when
 * there is no manager to ask (and the settings are fixed), when the token is of another site than the one that a bundle gave this box, or
 * on abort.
 */
export async function enrol(deps: EnrolDeps): Promise<Membership | undefined> {
  const { store, log, random, signal } = deps
  const read = () => (typeof deps.config === 'function' ? deps.config() : deps.config)
  const progress = deps.onProgress ?? (() => undefined)
  const known = readMembership(store)
  if (known) {
    progress({ kind: 'member' })
    await settleToken(deps, read(), known)
    return known
  }
  let told: string | undefined
  /** Each thing once, not at every try. */
  const once = (what: string, tell: () => void) => {
    if (told !== what) tell()
    told = what
  }
  for (let attempt = 0; !signal.aborted; attempt++) {
    const config = read()
    const { token, manager } = config
    const site = readSite(store)
    if (manager === undefined || (token === undefined && site)) {
      once('idle', () =>
        site ? log.info('enrol.offline', { site: site.site, name: site.name }) : log.error('enrol.no_manager', { file: config.file }),
      )
      progress({ kind: 'idle' })
      if (typeof deps.config !== 'function') return undefined
      attempt = -1
      await pause(deps, config, IDLE_MS)
      continue
    }
    if (attempt === 0) progress({ kind: 'asking' })
    const answer = await ask({ ...deps, config, manager }).catch(async (error: Error): Promise<Outcome> => {
      if (deps.onDate && isTooEarly(error)) {
        const date = await askDate(manager, { proxy: config.proxy, signal })
        if (date !== undefined) deps.onDate(date)
      }
      return { kind: 'failed', why: error.message }
    })
    if (answer.kind === 'member') return await join(deps, config, answer.answer)
    const claiming = answer.kind === 'pending' && token === undefined
    const retryMs = claiming ? CLAIM_MS : backoffMs(attempt, random)
    if (answer.kind !== 'pending') {
      log.warn(`enrol.${answer.kind}`, { why: answer.why, manager, retryMs })
      progress(answer)
    } else if (claiming) {
      once(`claim ${answer.code}`, () => log.info('enrol.claim', { code: answer.code, expiresAt: answer.expiresAt }))
      progress({ ...answer, kind: 'claim' })
    } else {
      log.warn('enrol.pending', { code: answer.code, retryMs })
      progress({ kind: 'pending', code: answer.code })
    }
    if (await pause(deps, config, retryMs)) attempt = -1
  }
  return undefined
}

/** Keeps what the manager said, unless this box belongs to another site. */
async function join(deps: EnrolDeps, config: EnrolSettings, answer: EnrolAnswer): Promise<Membership | undefined> {
  const { store, log } = deps
  const adopted = readSite(store) // now: a bundle may have come meanwhile
  if (adopted && answer.site !== adopted.site) {
    log.error('enrol.other_site', { site: adopted.site, name: adopted.name, offered: answer.site })
    deps.onProgress?.({ kind: 'refused', why: `the manager takes this box for another site than "${adopted.name}", which it belongs to` })
    return undefined
  }
  const { leases = [], ...rest } = answer
  const membership: Membership = config.token === undefined ? rest : { ...rest, tokenHash: hashToken(config.token) }
  await writeMembership(store, membership, (db) => deps.restore?.(db, leases))
  log.info('enrol.done', { site: membership.site, name: membership.name, leases: leases.length })
  deps.onProgress?.({ kind: 'member' })
  await settleToken(deps, config, membership)
  return membership
}

/**
 * For a box that belongs to a site and finds another token: a card that was flashed anew, for this site or for another one. Spends it and
 * resolves `same` once its membership is renewed, or `other` when the token is of another site: then nothing was kept, and a box that
 * forgets all it knew may enrol with that token, for its keys have spent it. Resolves undefined on abort.
 */
export async function followNewToken(deps: EnrolDeps & { config: () => EnrolSettings }): Promise<'same' | 'other' | undefined> {
  const { store, clock, random, log, signal } = deps
  for (let attempt = 0; !signal.aborted; ) {
    const config = deps.config()
    const { token, manager } = config
    const known = token === undefined ? undefined : readMembership(store) // most boxes have erased theirs
    if (!known || token === undefined || manager === undefined || hashToken(token) === known.tokenHash) {
      attempt = 0
      await clock.sleep(CLAIM_MS, signal)
      continue
    }
    const answer = await ask({ ...deps, config, manager }).catch((error: Error): Outcome => ({ kind: 'failed', why: error.message }))
    if (answer.kind === 'member' && answer.answer.site !== known.site) return 'other'
    if (answer.kind === 'member') {
      await join(deps, config, answer.answer)
      return 'same'
    }
    const why = answer.kind === 'pending' ? `a person must decide at the manager, code ${answer.code}` : answer.why
    log.warn('enrol.new_token', { kind: answer.kind, why })
    deps.onProgress?.({ kind: 'refused', why: `${why} (of the new token; until then this box works for "${known.name}")` })
    if (await pause(deps, config, backoffMs(attempt++, random))) attempt = 0
  }
  return undefined
}

/** Ends early, and resolves true, when the settings have changed: whoever corrects them looks at the screen. */
async function pause({ config, clock, signal }: EnrolDeps, before: EnrolSettings, ms: number): Promise<boolean> {
  if (typeof config !== 'function') {
    await clock.sleep(ms, signal)
    return false
  }
  const text = JSON.stringify(before)
  for (let left = ms; left > 0 && !signal.aborted; left -= IDLE_MS) {
    await clock.sleep(Math.min(left, IDLE_MS), signal)
    if (JSON.stringify(config()) !== text) return true
  }
  return false
}

type Outcome =
  | { kind: 'member'; answer: EnrolAnswer }
  /** A person must decide at the manager; `code` is what they compare, or type. */
  | { kind: 'pending'; code: string; expiresAt?: number | undefined }
  /** The manager answered and said no. */
  | { kind: 'refused'; why: string }
  /** No manager was reached, or what answered was none. */
  | { kind: 'failed'; why: string }

async function ask({
  config,
  identity,
  hardware,
  version,
  signal,
  manager,
  onDate,
}: Pick<EnrolDeps, 'identity' | 'hardware' | 'version' | 'signal' | 'onDate'> & {
  config: EnrolSettings
  manager: string
}): Promise<Outcome> {
  const { token, fingerprint, proxy } = config
  const { kid, kty, crv, x } = identity.signing
  const claim: Omit<EnrolRequest, 'proof'> = {
    protocol: PROTOCOL,
    ...(token === undefined ? {} : { token }),
    wireguardKey: identity.wireguard.publicKey,
    signingKey: { kid, kty, crv, x },
    hardware,
    version,
  }
  const proof = await signDocument('enrolment', claim, identity.signing)
  const url = new URL('/api/v1/enrol', manager).href
  const answer = await postJson(url, { ...claim, proof }, { fingerprint, proxy, signal })
  if (answer.date !== undefined) onDate?.(answer.date)
  return readAnswer(answer)
}

/** The manager's certificate is of our future: this box's clock is behind. */
function isTooEarly({ cause }: Error): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'CERT_NOT_YET_VALID'
}

const Problem = z.object({ title: z.string().optional(), detail: z.string().optional() })

/** Sorts the manager's answer by status; a body that does not fit its status is a failure, never a membership. */
export function readAnswer({ status, body }: { status: number; body: unknown }): Outcome {
  if (status === 200) {
    const parsed = EnrolAnswer.safeParse(body)
    if (parsed.success) return { kind: 'member', answer: parsed.data }
    return { kind: 'failed', why: `the answer does not fit: ${z.prettifyError(parsed.error)}` }
  }
  if (status === 202) {
    const parsed = EnrolPending.safeParse(body)
    return parsed.success ? { kind: 'pending', code: parsed.data.code, expiresAt: parsed.data.expiresAt } : { kind: 'pending', code: '?' }
  }
  const problem = Problem.safeParse(body)
  const said = problem.success ? [problem.data.title, problem.data.detail].filter((part) => part !== undefined).join(': ') : ''
  return { kind: status >= 400 && status < 500 ? 'refused' : 'failed', why: `HTTP ${status}${said === '' ? '' : ` ${said}`}` }
}

/** Erases the spent token from `bridgehead.json`. A different token there is a person's wish that cannot be met: said, not touched. */
async function settleToken({ config, log, writeConfig }: EnrolDeps, { file, token }: EnrolSettings, membership: Membership): Promise<void> {
  if (token === undefined) return
  if (hashToken(token) !== membership.tokenHash) {
    if (typeof config === 'function') return // see followNewToken
    log.warn('enrol.token_ignored', { file, site: membership.site })
    return
  }
  try {
    const { token: _, ...rest } = z.looseObject({}).parse(JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, '')))
    const text = `${JSON.stringify(rest, null, 2)}\n`
    if (writeConfig) await writeConfig(text)
    else writeFileAtomically(file, text, statSync(file).mode & 0o777)
  } catch (error) {
    // A read-only medium must not keep an enrolled box from working: the token is spent and opens nothing any more.
    log.warn('enrol.token_kept', { file, error })
  }
}
