import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { throughProxy } from './http-proxy.ts'

/** The manager could not be asked, or is not the one that was pinned. */
export class PostError extends Error {
  readonly code = 'post'
}

const TIMEOUT_MS = 20_000
/** A large site's leases come with its membership: 65,536 of some 110 bytes. */
const ANSWER_BYTES = 8 * 1024 * 1024
/** In the place of a fingerprint: whoever answers will do. No fingerprint is spelled so. */
const ANYBODY = 'anybody'

export interface Answer {
  status: number
  body: unknown
  /** The peer's clock, epoch milliseconds, to the second. */
  date?: number
}

/**
 * The peer's clock by its Date header, epoch milliseconds; whoever answers is believed. For a box that does not know the time and therefore
 * trusts no certificate yet. Undefined when there is no answer.
 */
export async function askDate(
  url: string,
  { proxy, signal }: { proxy?: string | undefined; signal?: AbortSignal },
): Promise<number | undefined> {
  const target = new URL(url)
  const limit = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])])
  let socket: TLSSocket | undefined
  try {
    socket = await secureSocket(target, { fingerprint: ANYBODY, proxy }, limit)
    const answer = await send(target, '', socket, limit, 'HEAD')
    answer.resume()
    const date = Date.parse(answer.headers.date ?? '')
    return Number.isNaN(date) ? undefined : date
  } catch {
    return undefined // the try that asked for this has told what is wrong
  } finally {
    socket?.destroy()
  }
}

/**
 * POSTs `body` as JSON and returns the answer, whatever its status. With `fingerprint` (SHA-256 of the certificate, lower-case
 * hexadecimal) nothing is written to the socket before the peer has shown that very certificate. `proxy` is an HTTP proxy, used for
 * https alone: what goes to loopback has no way around. Throws PostError.
 */
export async function postJson(
  url: string,
  body: unknown,
  { fingerprint, proxy, signal }: { fingerprint?: string | undefined; proxy?: string | undefined; signal?: AbortSignal },
): Promise<Answer> {
  const target = new URL(url)
  const limit = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])])
  const text = JSON.stringify(body)
  let socket: TLSSocket | undefined
  try {
    if (target.protocol === 'https:') socket = await secureSocket(target, { fingerprint, proxy }, limit)
    const answer = await send(target, text, socket, limit)
    const date = Date.parse(answer.headers.date ?? '')
    return { status: answer.statusCode ?? 0, body: parse(await collect(answer)), ...(Number.isNaN(date) ? {} : { date }) }
  } catch (cause) {
    if (cause instanceof PostError) throw cause
    throw new PostError(`${target.origin} did not answer: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  } finally {
    socket?.destroy()
  }
}

/**
 * A TLS connection to the right peer. A pinned fingerprint replaces the authorities' check: the pin came with the box, on the
 * same medium as the token, and names one certificate exactly. No authority can say more, and a manager inside a company
 * usually has none; so neither issuer, host name nor dates matter then, and nothing but these bytes do.
 */
async function secureSocket(
  target: URL,
  { fingerprint, proxy }: { fingerprint: string | undefined; proxy: string | undefined },
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port || 443)
  const through = proxy === undefined ? undefined : await throughProxy(proxy, { host, port }, signal)
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...(through ? { socket: through } : { host, port }),
      ...(isIP(host) ? {} : { servername: host }),
      rejectUnauthorized: fingerprint === undefined,
      minVersion: 'TLSv1.2',
    })
    const fail = (message: string, cause?: unknown) => {
      socket.destroy()
      reject(new PostError(message, { cause }))
    }
    const abort = () => fail(`${target.origin} did not finish its TLS handshake in time`, signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.on('error', (error) => fail(`cannot connect to ${target.origin}: ${error.message}`, error))
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', abort)
      if (fingerprint !== undefined && fingerprint !== ANYBODY) {
        const shown = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex')
        if (shown !== fingerprint)
          return fail(`${target.origin} shows certificate ${shown}, but ${fingerprint} is pinned in bridgehead.json`)
      }
      resolve(socket)
    })
  })
}

function send(
  target: URL,
  text: string,
  socket: TLSSocket | undefined,
  signal: AbortSignal,
  method: 'POST' | 'HEAD' = 'POST',
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        accept: 'application/json',
        connection: 'close',
      },
      signal,
    }
    const request = socket ? httpsRequest(target, { ...options, createConnection: () => socket }) : httpRequest(target, options)
    request.once('response', resolve)
    request.once('error', reject)
    request.end(text)
  })
}

async function collect(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer) {
    bytes += part.length
    if (bytes > ANSWER_BYTES) throw new PostError(`the answer is longer than ${ANSWER_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** JSON, or the text itself where it is none (a proxy's error page). */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
