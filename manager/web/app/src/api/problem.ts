import type { ProblemCode } from '../../../../engines/http/problem.ts'

/** An RFC 9457 document of the manager, or what stands for one when there was no answer. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: ProblemCode | 'offline'
  /** By field, as the API names them (`lans[1].subnet`). */
  readonly fields: Readonly<Record<string, string>>
  constructor(status: number, code: ProblemCode | 'offline', detail: string, fields: Record<string, string> = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

interface ProblemDocument {
  code?: ProblemCode
  detail?: string
  errors?: { field: string; message: string }[]
}

/** `fetch` that throws `ApiProblem` for every answer that is none, so that queries and forms meet one kind of error. */
export async function checkedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const answer = await fetch(input, { ...init, credentials: 'same-origin' }).catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new ApiProblem(0, 'offline', 'The manager does not answer. What you typed is kept; this page tries again by itself.')
  })
  if (answer.ok) return answer
  const read = (await answer.json().catch(() => ({}))) as ProblemDocument
  const fields = Object.fromEntries((read.errors ?? []).map(({ field, message }) => [field, message]))
  throw new ApiProblem(answer.status, read.code ?? 'internal', read.detail ?? `The manager answered ${answer.status}.`, fields)
}
