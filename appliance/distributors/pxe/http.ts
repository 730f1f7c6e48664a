import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { openForSending, sendFile } from './http-file.ts'
import { planFile } from './http-plan.ts'
import { BODY_LIMIT, BodyTooLarge, type LanAnswer, type LanFile, type LanFileKind, type LanRoutes, type LanTransfer } from './lan-http.ts'
import { createListeners, type Listener } from './listeners.ts'
import { limitedLog } from './log-limit.ts'

export interface BootHttpDeps {
  clock: Clock
  log: Log
  /** 80, or another for tests (0: any free one, see `bound`). */
  port: number
  find(kind: LanFileKind, id: string): Promise<LanFile | undefined>
  /** Everything that is not a file. */
  routes: LanRoutes
  /** Told when the body of a file was sent, or broke off (`bytes` < `total`). Not for HEAD and 304. */
  served?(transfer: LanTransfer): void
  /** Told at most once a second while a file is on its way. */
  progress?(transfer: LanTransfer): void
}

export interface BootHttp extends Service {
  /** Level-triggered: listens on exactly these addresses from now on. Removing one breaks its connections off. */
  apply(addresses: readonly Ipv4[]): void
  counters(): Record<string, number>
  bound(): { address: Ipv4; port: number }[]
}

/** Limits against clients that hold connections open or dribble: all times in ms. A booting machine needs one or two connections. */
const LIMITS = {
  connections: 1024,
  perClient: 64,
  headerBytes: 8192,
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 60_000,
  keepAliveMs: 15_000,
}
const PROGRESS_MS = 1000
const LOG_LINES_PER_MINUTE = 600

/** The LAN's plain HTTP server: files by name or sha256 with ranges, the rest by injected routes. No name ever becomes a path. */
export function createBootHttp({ clock, log: fullLog, port, find, routes, served, progress }: BootHttpDeps): BootHttp {
  const log = limitedLog(fullLog, clock, LOG_LINES_PER_MINUTE)
  const counts = { requests: 0, files: 0, bytes: 0, not_found: 0, bad_request: 0, too_many: 0, broken_off: 0, failed: 0 }

  const onRequest = async (local: Ipv4, request: IncomingMessage, response: ServerResponse) => {
    counts.requests++
    const client = clientOf(request)
    const target = parseTarget(request.url ?? '')
    if (!target) {
      counts.bad_request++
      return answer(response, { status: 400, body: 'the path is not a valid URL path\n' })
    }
    const { path, query } = target
    try {
      const file = fileOf(path)
      const found = file && (await find(file.kind, file.id))
      if (file && found) return await sendFound({ ...file, path, client }, found, request, response)
      const method = request.method ?? 'GET'
      const said = file ? undefined : await routes({ method, path, query, client, server: local, body: () => readBody(request) })
      if (!said) {
        counts.not_found++
        log.info('http.not_found', { method, path, client })
      }
      answer(response, said ?? { status: 404, body: 'not found\n' })
    } catch (error) {
      if (error instanceof BodyTooLarge) return answer(response, { status: 413, body: `${error.message}\n` })
      counts.failed++
      log.error('http.failed', { path, client, error })
      if (response.headersSent) response.destroy()
      else answer(response, { status: 500, body: 'this failed at the appliance; its log says why\n' })
    }
  }

  const sendFound = async (
    about: Pick<LanTransfer, 'kind' | 'id' | 'path' | 'client'>,
    file: LanFile,
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    const { status, headers, send } = planFile(request.method ?? 'GET', request.headers, file)
    if (!send) return void response.writeHead(status, headers).end()
    const fd = await openForSending(file.path)
    const began = clock.now()
    let told = began
    const transfer = (bytes: number): LanTransfer => ({ ...about, bytes, total: send.length, ms: clock.now() - began })
    response.writeHead(status, headers)
    counts.files++
    const bytes = await sendFile(fd, send, response, (moved) => {
      if (!progress || clock.now() - told < PROGRESS_MS || moved === send.length) return
      told = clock.now()
      progress(transfer(moved))
    })
    response.end()
    counts.bytes += bytes
    if (bytes < send.length) counts.broken_off++
    const end = transfer(bytes)
    log.info(bytes < send.length ? 'http.broken_off' : 'http.file', { ...end })
    served?.(end)
  }

  const openServer = (address: Ipv4, onLost: (error: unknown) => void): Promise<Listener> => {
    const perClient = new Map<string, number>()
    const server = createServer(
      {
        maxHeaderSize: LIMITS.headerBytes,
        headersTimeout: LIMITS.headersMs,
        requestTimeout: LIMITS.requestMs,
        keepAliveTimeout: LIMITS.keepAliveMs,
        connectionsCheckingInterval: 5000,
        requireHostHeader: false, // some loaders leave it away
        noDelay: true,
      },
      (request, response) => void onRequest(address, request, response),
    )
    server.maxConnections = LIMITS.connections
    server.setTimeout(LIMITS.idleMs)
    server.on('drop', () => counts.too_many++)
    server.on('connection', (socket) => {
      const client = socket.remoteAddress ?? ''
      const open = (perClient.get(client) ?? 0) + 1
      perClient.set(client, open)
      socket.once('close', () => {
        const left = (perClient.get(client) ?? 1) - 1
        if (left === 0) perClient.delete(client)
        else perClient.set(client, left)
      })
      if (open <= LIMITS.perClient) return
      counts.too_many++
      socket.destroy()
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      counts.bad_request++
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
      const status =
        error.code === 'HPE_HEADER_OVERFLOW'
          ? '431 Request Header Fields Too Large'
          : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
            ? '408 Request Timeout'
            : '400 Bad Request'
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
    return listen(server, address, port, onLost)
  }

  const listeners = createListeners({ name: 'http', port, clock, log: fullLog, open: openServer })
  return { name: 'http', ...listeners, counters: () => ({ ...counts }) }
}

function listen(server: Server, host: Ipv4, port: number, onLost: (error: unknown) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject).on('error', onLost)
      const bound = server.address()
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed())
          server.closeAllConnections()
        })
      resolve({ port: typeof bound === 'object' && bound ? bound.port : port, close })
    })
  })
}

/** Always with Content-Length: old firmware reads no chunks. */
function answer(response: ServerResponse, { status, headers = {}, body = '' }: LanAnswer): void {
  if (response.destroyed) return
  const bodiless = status === 204 || status === 304
  if (!bodiless) response.setHeader('Content-Type', 'text/plain; charset=utf-8').setHeader('Content-Length', Buffer.byteLength(body))
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.writeHead(status).end(bodiless ? undefined : body)
  response.req.resume() // what is left of a refused body, so that the client gets to read this answer
}

/** `/boot/script?a=b`, or the absolute form that proxies use (RFC 9112 §3.2.2). Undefined when it cannot be decoded. */
function parseTarget(url: string): { path: string; query: URLSearchParams } | undefined {
  const origin = /^http:\/\/[^/?#]*/i.exec(url)
  const [path = '', ...rest] = (origin ? url.slice(origin[0].length) : url).split('?')
  try {
    const decoded = decodeURIComponent(path)
    if (decoded === '' && origin) return { path: '/', query: new URLSearchParams(rest.join('?')) }
    return decoded.startsWith('/') && !decoded.includes('\0') ? { path: decoded, query: new URLSearchParams(rest.join('?')) } : undefined
  } catch {
    return undefined // a broken percent escape
  }
}

function fileOf(path: string): { kind: LanFileKind; id: string } | undefined {
  const loader = /^\/loaders\/([^/]{1,200})$/.exec(path)?.[1]
  if (loader !== undefined) return { kind: 'loader', id: loader }
  const artifact = /^\/artifacts\/([0-9a-f]{64})(?:\/[^/]{0,200})?$/.exec(path)?.[1]
  return artifact === undefined ? undefined : { kind: 'artifact', id: artifact }
}

const clientOf = (request: IncomingMessage) => (request.socket.remoteAddress ?? '0.0.0.0').replace(/^::ffff:/, '') as Ipv4

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = () => new BodyTooLarge(`the body may have ${BODY_LIMIT} bytes at most`)
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) throw tooLarge()
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    bytes += part.length
    if (bytes > BODY_LIMIT) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
