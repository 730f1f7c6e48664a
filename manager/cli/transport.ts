import { X509Certificate } from 'node:crypto'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import { type ConnectionOptions, connect, type PeerCertificate } from 'node:tls'

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * `fetch` to a manager whose certificate (PEM) was accepted at login: the connection is good when the peer shows that very certificate,
 * whatever names are in it. Without `certificate` it is the global one, which asks the authorities.
 */
export function createFetch(certificate: string | undefined): Fetch {
  if (certificate === undefined) return fetch
  const tls: ConnectionOptions = {
    ca: certificate,
    allowPartialTrustChain: true, // it need not be its own issuer
    checkServerIdentity: (_, shown) => (shown.raw.equals(raw) ? undefined : new Error('another certificate')),
    minVersion: 'TLSv1.2',
  }
  const { raw } = new X509Certificate(certificate)
  return async (input, init) => {
    const request = new Request(input, init)
    const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined
    const url = new URL(request.url)
    const headers = Object.fromEntries(request.headers)
    const signal = init?.signal ?? undefined // not the request's own, which is forgotten with it
    const options = { method: request.method, headers, signal, agent: false }
    return new Promise((resolve, reject) => {
      const outgoing =
        url.protocol === 'https:' ? secureRequest(url, { ...options, ...tls }, answered) : plainRequest(url, options, answered)
      function answered(answer: IncomingMessage) {
        resolve(asResponse(answer))
      }
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }
}

function asResponse(answer: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headersDistinct)) for (const one of value ?? []) headers.append(name, one)
  const status = answer.statusCode ?? 502
  const bodyless = status === 204 || status === 304
  if (bodyless) answer.resume()
  return new Response(bodyless ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), { status, headers })
}

export interface ShownCertificate {
  pem: string
  /** SHA-256, 64 lower-case hexadecimal digits: what `npm start` and `bridgehead.json` say too. */
  fingerprint: string
  /** An authority that this machine knows vouches for it, and for this name. */
  trusted: boolean
  /** Why not. */
  why: string
}

/** Looks at the certificate that a manager shows, believing nothing; nothing is sent. */
export function lookAt(url: string, timeoutMs = 10_000): Promise<ShownCertificate> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    // No check here: a person compares the fingerprint, as with ssh's first look, and from then on only this certificate will do.
    const socket = connect({ host, port: Number(port || 443), ...(isIP(host) ? {} : { servername: host }), rejectUnauthorized: false })
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no TLS handshake within ${timeoutMs / 1000} s`)))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      const shown = socket.getPeerCertificate()
      const why = socket.authorizationError
      socket.end()
      resolve({ pem: toPem(shown), fingerprint: fingerprintOf(shown), trusted: socket.authorized, why: why ? String(why) : '' })
    })
  })
}

function toPem({ raw }: PeerCertificate): string {
  const lines = raw.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const fingerprintOf = ({ fingerprint256 }: PeerCertificate) => fingerprint256.replaceAll(':', '').toLowerCase()
