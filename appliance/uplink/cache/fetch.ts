import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** Where artifacts come from: GET {url}/{sha256}, HTTP basic auth, answered by the bytes or by a redirect to them. */
export interface ArtifactSource {
  url: string
  user: string
  password: string
}

/** The other side does not give the bytes now; trying later may help. */
export class FetchError extends Error {
  readonly code = 'artifact_fetch'
}

const MAX_REDIRECTS = 5
const SILENCE_MS = 30_000

/**
 * Begins to fetch an artifact from byte `from` on, up to and with byte `to` where that is given. Follows redirects; the password goes
 * to the first address alone, for what it redirects to carries its own permission in the URL. Resolves with a 200 (whole) or 206 (from
 * `from`) answer, whose body the caller reads or destroys. Throws FetchError.
 */
export async function fetchArtifact(
  { url, user, password }: ArtifactSource,
  sha256: string,
  from: number,
  signal: AbortSignal,
  to?: number,
): Promise<{ body: IncomingMessage; resumed: boolean }> {
  const range: Record<string, string> = from > 0 || to !== undefined ? { Range: `bytes=${from}-${to ?? ''}` } : {}
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  let target = new URL(`${url.replace(/\/$/, '')}/${sha256}`)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await get(target, { ...range, ...(hop === 0 ? { Authorization: authorization } : {}) }, signal)
    const status = response.statusCode ?? 0
    if (status === 200 || status === 206) return { body: response, resumed: checkRange(response, from) }
    response.resume()
    const location = response.headers.location
    if (status < 300 || status >= 400 || location === undefined) throw new FetchError(refusal(status, target))
    if (!URL.canParse(location, target.href)) throw new FetchError(`${target.host} redirects to "${location}", which is not a URL`)
    target = new URL(location, target)
  }
  throw new FetchError(`more than ${MAX_REDIRECTS} redirects, the last to ${target.host}`)
}

function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return reject(new FetchError(`cannot fetch from a ${url.protocol} URL`))
    const fail = (cause: Error) => reject(new FetchError(`${url.host}: ${cause.message}`, { cause }))
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, { headers, signal, agent: false, timeout: SILENCE_MS })
    request.on('timeout', () => request.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`)))
    request.on('error', fail)
    request.on('response', resolve)
    request.end()
  })
}

/** True when the answer goes on from `from`; false when it begins anew. */
function checkRange(response: IncomingMessage, from: number): boolean {
  if (response.statusCode !== 206) return false
  const start = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1]
  if (start !== undefined && Number(start) === from) return true
  response.destroy()
  throw new FetchError(`asked for bytes from ${from}, got "${response.headers['content-range'] ?? 'no Content-Range'}"`)
}

function refusal(status: number, { host }: URL): string {
  if (status === 401 || status === 403) return `${host} refuses this site's secret (${status})`
  if (status === 404) return `${host} does not have it (404)`
  return `${host} answers ${status}`
}
