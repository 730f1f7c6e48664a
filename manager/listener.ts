import {
  createServer as createHttp,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { createAdaptorServer } from '@hono/node-server'

export class ListenError extends Error {
  readonly code = 'listen'
}

export interface ListenerOptions {
  name: string
  host: string
  port: number
  /** The variable that moves it, for the message when the port is taken. */
  variable: string
  fetch: (request: Request) => Response | Promise<Response>
  tls?: { key: string; cert: string } | undefined
  log: Log
}

/** Serves `fetch` at one address. Requests under way get 2 s when it stops. */
export function createListener({ name, host, port, variable, fetch, tls, log }: ListenerOptions): Service & { port(): number } {
  const server = tls
    ? createAdaptorServer({
        fetch,
        createServer: createHttps,
        serverOptions: { ...tls, minVersion: 'TLSv1.2', ServerResponse: SpelledResponse },
      })
    : createAdaptorServer({ fetch, createServer: createHttp, serverOptions: { ServerResponse: SpelledResponse } })
  return {
    name,
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (cause: NodeJS.ErrnoException) => reject(new ListenError(whyNot(cause, host, port, variable), { cause })))
        server.listen(port, host, () => {
          log.info('http.listening', { listener: name, host, port })
          resolve()
        })
      }),
    stop: () =>
      new Promise((resolve) => {
        if (!server.listening) return resolve()
        const hurry = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), 2_000)
        server.close(() => {
          clearTimeout(hurry)
          resolve()
        })
        if ('closeIdleConnections' in server) server.closeIdleConnections()
      }),
    port() {
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : port
    },
  }
}

/**
 * Writes `Content-Length` with capitals, which `Headers` loses. To HTTP both are the same (RFC 9110 §5.1); GRUB 2.12 compares bytes
 * (grub-core/net/http.c, parse_line), and a file whose length it has not read does not load.
 */
class SpelledResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  override writeHead(status: number, reason?: string | Written, headers?: Written): this {
    return typeof reason === 'string' ? super.writeHead(status, reason, spelled(headers)) : super.writeHead(status, spelled(reason))
  }
}
type Written = OutgoingHttpHeaders | OutgoingHttpHeader[]

function spelled(headers: Written | undefined): Written | undefined {
  if (headers === undefined || Array.isArray(headers) || headers['content-length'] === undefined) return headers
  const { 'content-length': length, ...rest } = headers
  return { ...rest, 'Content-Length': length }
}

function whyNot(cause: NodeJS.ErrnoException, host: string, port: number, variable: string): string {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  switch (cause.code) {
    case 'EADDRINUSE':
      return `port ${port} is in use (${where}); end what listens there or set ${variable} to another one`
    case 'EACCES':
      return `no right to listen on ${where}; ports below 1024 need root; set ${variable} to another one`
    case 'EADDRNOTAVAIL':
      return `this machine has no address ${host}; set ${variable} to one that it has`
    default:
      return `cannot listen on ${where} (${variable}): ${cause.message}`
  }
}
