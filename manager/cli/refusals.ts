import { z } from 'zod'
import { Failure } from './failure.ts'

/** Who was asked. `pinned`: by the certificate of the login. */
export interface Asking {
  url: string
  pinned: boolean
}

/** A problem document (RFC 9457), as far as it is read. A peer's: what is newer is passed over. */
const ProblemDocument = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).default([]),
})

/** The manager, or whoever answers at its address, said no. */
export async function refused({ url }: Asking, answer: Response): Promise<Failure> {
  const text = await answer.text().catch(() => '')
  const problem = ProblemDocument.safeParse(parsed(text)).data
  if (!problem)
    return new Failure(`${url} answers ${answer.status}, but not as a Bridgehead manager does`, {
      code: 'not-a-manager',
      next: ['check the address; behind a proxy, /api/v1 must reach the manager', 'another address: bridgehead login --url URL'],
    })
  const { code, detail, errors } = problem
  const details = errors.length > 1 ? errors.map(({ field, message }) => `  ${field}: ${message}`) : []
  const shown = errors.length > 1 ? `${errors.length} fields are wrong` : detail
  return new Failure(said(code, shown), { code, usage: answer.status === 400, details, next: nextOf(code, detail, url) })
}

/** Nobody answered, or not the right one. */
export function unreachable({ url, pinned }: Asking, cause: unknown): Failure {
  const { code, message } = innermost(cause)
  const secure = url.startsWith('https:')
  if (secure && pinned && (message === 'another certificate' || CERTIFICATE_CODES.test(code)))
    return new Failure(`${url} shows another certificate than the one that was accepted at login`, {
      code: 'certificate-changed',
      next: ["if the manager's certificate was renewed, log in again and compare: bridgehead login", 'if not, somebody is in between'],
      cause,
    })
  if (secure && CERTIFICATE_CODES.test(code))
    return new Failure(`no authority that this machine knows vouches for the certificate of ${url} (${message})`, {
      code: 'certificate-unknown',
      next: [`see its fingerprint and accept it: bridgehead login --url ${url}`],
      cause,
    })
  const first =
    code === 'EPROTO'
      ? `does it speak plain HTTP? bridgehead login --url ${url.replace(/^https/, 'http')}`
      : !secure && WHY[code] === CUT
        ? `does it want TLS? bridgehead login --url ${url.replace(/^http/, 'https')}`
        : 'does the manager run? npm start'
  return new Failure(`${url} does not answer: ${WHY[code] ?? (message || code)}`, {
    code: 'unreachable',
    next: [first, 'another address: bridgehead login --url URL'],
    cause,
  })
}

const CUT = 'the connection was cut'
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|ISSUER|CRL|SIGNATURE|ALTNAME/
const WHY: Record<string, string> = {
  ECONNREFUSED: 'connection refused, nothing listens there',
  ENOTFOUND: 'no such name',
  EAI_AGAIN: 'names cannot be looked up now',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  EHOSTUNREACH: 'no way to that machine',
  ENETUNREACH: 'no way to that network',
  ECONNRESET: CUT,
  UND_ERR_SOCKET: CUT,
  EPROTO: 'it does not speak TLS there',
}

function said(code: string, detail: string): string {
  if (code === 'unauthenticated') return 'the manager does not know this API key: it has expired, was deleted, or is not for this manager'
  return detail
}

function nextOf(code: string, detail: string, url: string): string[] {
  switch (code) {
    case 'unauthenticated':
      return [`make a new key in the console (${url}), then: bridgehead login`]
    case 'forbidden': {
      const scope = /scope "([^"]+)"/.exec(detail)?.[1]
      return [`ask an owner for an API key with ${scope ? `the scope "${scope}"` : 'that scope'}, then: bridgehead login`]
    }
    case 'internal':
      return ["the manager's log tells the rest; try again"]
    case 'unavailable':
    case 'state-missing':
      return ['try again in a moment']
    case 'revision-stale':
      return ['look at it again, then repeat the change']
    case 'no-hosts':
      return ['see which hosts a selector picks: bridgehead host ls SELECTOR']
    default:
      return []
  }
}

/** The cause that says most: fetch wraps it, and Happy Eyeballs (RFC 8305) joins one for each address. */
function innermost(error: unknown): { code: string; message: string } {
  let found = { code: '', message: String(error) }
  for (let at: unknown = error; at instanceof Error; at = at instanceof AggregateError ? at.errors[0] : at.cause) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : ''
    found = { code: code || found.code, message: at.message || found.message }
  }
  return found
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's page
  }
}
