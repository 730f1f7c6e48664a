import type { Server as HttpsServer } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { secretFile } from '@bridgehead/shared/secret-file.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { PageIdentity } from './certificate.ts'
import { newCredential } from './guard.ts'
import type { HandlerDeps } from './handler.ts'

/** The break-glass page on the box itself, over TLS. */
export interface LocalPage extends Service {
  /** For the screen; undefined before `start`. */
  info(): { port: number; credential: string; fingerprint: string } | undefined
}

export interface PageDeps extends Omit<HandlerDeps, 'guard' | 'now' | 'note'> {
  /** Holds the credential and the key, mode 0600. */
  directory: string
  port: number
  clock: Clock
  log: Log
}

const CONNECTIONS = 16

/** A listening socket costs nothing; TLS and the pages are loaded when somebody first knocks. */
export function createLocalPage(deps: PageDeps): LocalPage {
  const { directory, port, clock, log } = deps
  let known: { credential: string; identity: PageIdentity } | undefined
  let server: Server | undefined
  let secure: Promise<HttpsServer> | undefined

  const open = async (credential: string, { key, cert }: PageIdentity): Promise<HttpsServer> => {
    const [{ createServer: createHttps }, { createHandler }, { createGuard }] = await Promise.all([
      import('node:https'),
      import('./handler.ts'),
      import('./guard.ts'),
    ])
    const note: HandlerDeps['note'] = (event, fields) => log.info(event, fields)
    const options = { key, cert, minVersion: 'TLSv1.2' as const, maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 20_000 }
    const https = createHttps(options, createHandler({ ...deps, guard: createGuard(credential), now: clock.now, note }))
    https.setTimeout(30_000)
    https.on('tlsClientError', (error, socket) => {
      log.debug('page.tls_error', { error })
      socket.destroy()
    })
    return https
  }
  const receive = (socket: Socket) => {
    if (!known) return void socket.destroy()
    const { credential, identity } = known
    socket.on('error', () => socket.destroy())
    secure ??= open(credential, identity)
    secure.then(
      (https) => https.emit('connection', socket),
      (error) => {
        secure = undefined
        log.error('page.failed', { error })
        socket.destroy()
      },
    )
  }

  return {
    name: 'page',
    async start() {
      const { pageIdentity } = await import('./certificate.ts')
      const credential = await secretFile(join(directory, 'credential'), newCredential)
      known = { credential, identity: await pageIdentity(join(directory, 'tls.pem')) }
      server = createServer(receive)
      server.maxConnections = CONNECTIONS
      server.on('error', (error) => log.error('page.failed', { error }))
      await new Promise<void>((resolve) => {
        server?.once('listening', resolve).once('error', () => resolve()) // without this page the site still works
        server?.listen(port)
      })
    },
    async stop() {
      server?.close()
      const https = await secure
      https?.closeAllConnections()
    },
    info() {
      const address = server?.address()
      if (!known || typeof address !== 'object' || !address) return undefined
      return { port: address.port, credential: known.credential, fingerprint: known.identity.fingerprint }
    },
  }
}
