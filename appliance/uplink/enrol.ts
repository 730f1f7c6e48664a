import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { EnrolAnswer, EnrolPending, type EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { signDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Store } from '../store/store.ts'
import { writeFileAtomically } from './atomic-file.ts'
import { backoffMs } from './backoff.ts'
import type { Hardware } from './hardware.ts'
import type { Identity } from './identity.ts'
import { hashToken, type Membership, readMembership, readSite, writeMembership } from './membership.ts'
import { postJson } from './post-json.ts'

export interface EnrolDeps {
  config: Pick<Config, 'file' | 'manager' | 'fingerprint' | 'token'>
  identity: Identity
  hardware: Hardware
  version: string
  store: Store
  clock: Clock
  random: () => number
  log: Log
  signal: AbortSignal
}

/**
 * This box's membership: from the store, without any network, when it has one; else the token is spent, as often as it takes.
 * The answer is on disk before anyone acts on it, and only then the token is erased from `bridgehead.json`. A box that died in
 * between asks again with the same keys and gets the same answer. Resolves undefined when there is no token, when the token is of another
 * site than the one that a bundle gave this box, or on abort.
 */
export async function enrol(deps: EnrolDeps): Promise<Membership | undefined> {
  const { config, store, clock, random, log, signal } = deps
  const known = readMembership(store)
  if (known) {
    settleToken(config, known, log)
    return known
  }
  const { token, manager } = config
  if (token === undefined || manager === undefined) {
    const adopted = readSite(store)
    if (adopted) log.info('enrol.offline', { site: adopted.site, name: adopted.name })
    else log.error('enrol.no_token', { file: config.file })
    return undefined
  }
  for (let attempt = 0; !signal.aborted; attempt++) {
    const answer = await ask({ ...deps, token, manager }).catch((error: Error): Outcome => ({ kind: 'failed', why: error.message }))
    const adopted = readSite(store) // now: a bundle may have come meanwhile
    if (answer.kind === 'member' && adopted && answer.answer.site !== adopted.site) {
      log.error('enrol.other_site', { site: adopted.site, name: adopted.name, offered: answer.answer.site })
      return undefined
    }
    if (answer.kind === 'member') {
      const membership: Membership = { ...answer.answer, tokenHash: hashToken(token) }
      await writeMembership(store, membership)
      log.info('enrol.done', { site: membership.site, name: membership.name })
      settleToken(config, membership, log)
      return membership
    }
    const retryMs = backoffMs(attempt, random)
    if (answer.kind === 'pending') log.warn('enrol.pending', { code: answer.code, retryMs })
    else log.warn(`enrol.${answer.kind}`, { why: answer.why, manager, retryMs })
    await clock.sleep(retryMs, signal)
  }
  return undefined
}

type Outcome =
  | { kind: 'member'; answer: EnrolAnswer }
  /** A person must decide at the manager; `code` is what they compare. */
  | { kind: 'pending'; code: string }
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
  token,
  manager,
}: EnrolDeps & { token: string; manager: string }): Promise<Outcome> {
  const { kid, kty, crv, x } = identity.signing
  const claim: Omit<EnrolRequest, 'proof'> = {
    protocol: PROTOCOL,
    token,
    wireguardKey: identity.wireguard.publicKey,
    signingKey: { kid, kty, crv, x },
    hardware,
    version,
  }
  const proof = await signDocument('enrolment', claim, identity.signing)
  const url = new URL('/api/v1/enrol', manager).href
  const answer = await postJson(url, { ...claim, proof }, { fingerprint: config.fingerprint, signal })
  return readAnswer(answer)
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
    return { kind: 'pending', code: parsed.success ? parsed.data.code : '?' }
  }
  const problem = Problem.safeParse(body)
  const said = problem.success ? [problem.data.title, problem.data.detail].filter((part) => part !== undefined).join(': ') : ''
  return { kind: status >= 400 && status < 500 ? 'refused' : 'failed', why: `HTTP ${status}${said === '' ? '' : ` ${said}`}` }
}

/** Erases the spent token from `bridgehead.json`. A different token there is a person's wish that cannot be met: said, not touched. */
function settleToken(config: EnrolDeps['config'], membership: Membership, log: Log): void {
  if (config.token === undefined) return
  if (hashToken(config.token) !== membership.tokenHash) {
    log.warn('enrol.token_ignored', { file: config.file, site: membership.site })
    return
  }
  try {
    const { token: _, ...rest } = z.looseObject({}).parse(JSON.parse(readFileSync(config.file, 'utf8')))
    writeFileAtomically(config.file, `${JSON.stringify(rest, null, 2)}\n`, statSync(config.file).mode & 0o777)
  } catch (error) {
    // A read-only medium must not keep an enrolled box from working: the token is spent and opens nothing any more.
    log.warn('enrol.token_kept', { file: config.file, error })
  }
}
