import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ZodError } from 'zod'

/** Every error that the API answers, by its stable code. Codes are never used again for something else. */
export const PROBLEMS = {
  invalid: [400, 'The request has wrong or missing fields'],
  'malformed-json': [400, 'The body is not JSON'],
  unauthenticated: [401, 'Sign in or send an API key'],
  'proof-invalid': [401, 'The enrolment proof does not verify'],
  'token-unknown': [401, 'No such enrolment token'],
  forbidden: [403, 'The API key lacks a scope'],
  'cross-origin': [403, 'The form came from another site'],
  'setup-token-wrong': [403, 'This is not the set-up link'],
  'not-entitled': [403, 'This site has no use for that artifact'],
  'not-found': [404, 'Not found'],
  'name-taken': [409, 'The name is in use'],
  'mac-taken': [409, 'The MAC address belongs to another host of the site'],
  'address-taken': [409, 'The IP address is reserved for another host of the site'],
  'revision-stale': [409, 'Somebody changed it meanwhile'],
  'in-use': [409, 'Something still uses it'],
  'state-missing': [409, 'The site has no state yet'],
  'last-owner': [409, 'The organisation needs an owner'],
  'setup-spent': [410, 'The set-up link was used already'],
  'invitation-spent': [410, 'The invitation can be used no longer'],
  'token-expired': [410, 'The enrolment token has expired'],
  'too-large': [413, 'The body is too large'],
  'content-type': [415, 'The body must be JSON'],
  'protocol-unsupported': [422, 'This manager does not speak that protocol version'],
  'reference-unknown': [422, 'Something that the request names does not exist'],
  'does-not-render': [422, 'The template does not render'],
  'no-hosts': [422, 'No host matches'],
  'too-many-requests': [429, 'Too many tries'],
  internal: [500, 'The manager failed'],
  unavailable: [503, 'The manager cannot do this now'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>

export type ProblemCode = keyof typeof PROBLEMS

/** `field` as a person would write it: `lans[1].subnet`. */
export interface FieldError {
  field: string
  message: string
  expected?: string
}

/** A refused request; answered as a problem document (RFC 9457). `detail` is a sentence for people. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: readonly FieldError[]
  readonly headers: Readonly<Record<string, string>>
  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: readonly FieldError[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.code = code
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
  }
  get status(): ContentfulStatusCode {
    return PROBLEMS[this.code][0]
  }
}

export function notFound(what: string, id: string): Problem {
  return new Problem('not-found', `there is no ${what} "${id}"`)
}

/** A problem with one field, `path` as zod gives it. */
export function invalidField(path: readonly PropertyKey[], message: string, code: ProblemCode = 'invalid'): Problem {
  const field = formatPath(path)
  return new Problem(code, `${field}: ${message}`, { errors: [{ field, message }] })
}

export function problemResponse(problem: Problem): Response {
  const [status, title] = PROBLEMS[problem.code]
  const body = {
    type: `urn:bridgehead:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
  }
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json', ...problem.headers } })
}

/** Whatever was thrown, as a problem. `undefined`: a bug or a failed engine, to be logged and answered as `internal`. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error
  if (error instanceof ZodError) return problemOf(error)
  if (error instanceof HTTPException) {
    if (error.status === 400) return new Problem('malformed-json', `${error.message}; expected one JSON document`)
    if (error.status === 413) return new Problem('too-large', error.message)
    if (error.status === 403) return new Problem('cross-origin', 'open the page of this manager and send the form from there')
    if (error.status === 401) return new Problem('unauthenticated', error.message)
  }
  return undefined
}

/** One error per wrong field. `within` names where the value came from, when that is not the body: `query`, `path`. */
export function problemOf(error: ZodError, within?: string): Problem {
  const errors = error.issues.flatMap((issue) => fieldErrors(issue, within === undefined ? [] : [within]))
  const first = errors[0]
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return new Problem('invalid', first ? `${first.field}: ${first.message}${more}` : error.message, { errors })
}

function fieldErrors(issue: ZodError['issues'][number], prefix: readonly PropertyKey[]): FieldError[] {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      field: formatPath([...path, key]),
      message: 'is not known here; see the API reference for the fields',
    }))
  const expected =
    issue.code === 'invalid_type'
      ? issue.expected
      : issue.code === 'invalid_value'
        ? issue.values.map((value) => String(value)).join(', ')
        : undefined
  return [{ field: formatPath(path), message: issue.message, ...(expected === undefined ? {} : { expected }) }]
}

function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '') || 'body'
}
