import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import type { EnrolDeps, EnrolSettings } from '@bridgehead/appliance/uplink/enrol.ts'
import { createSigningKey, type Identity } from '@bridgehead/appliance/uplink/identity.ts'
import { selfSignedIdentity } from '@bridgehead/manager/engines/tls/certificate.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import { type EnrolAnswer, EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { afterAll, afterEach } from 'vitest'

export const OWN = '01900000-0000-7000-8000-00000000000a'
export const TOKEN = 'one-time-token-0123456789'
export const WIREGUARD = { privateKey: `${'A'.repeat(42)}A=`, publicKey: `${'B'.repeat(42)}A=` }

/** What a door answers to a request, the `count`th it got. Text goes out as it is, all else as JSON. */
type Reply = (request: EnrolRequest, count: number) => { status: number; body: unknown }

/** The answer that makes the asking box a member of `OWN`. */
export const member = (request: EnrolRequest): { status: number; body: EnrolAnswer } => ({
  status: 200,
  body: {
    protocol: 1,
    site: OWN,
    name: 'nuremberg',
    managerKeys: [request.signingKey],
    redis: { host: '127.0.0.1', port: 6390, username: 'site-x' },
    artifacts: 'http://127.0.0.1:8480/artifacts',
    secret: 'secret',
  },
})

/** Doors of managers on loopback, and boxes that knock there. Call it once in a test file: servers go with each test, files with the last. */
export async function createEnrolLab() {
  const directory = mkdtempSync(join(tmpdir(), 'bh-enrol-'))
  let identities = 0
  const identityFrom = (now: number) => selfSignedIdentity({ directory: join(directory, `tls-${identities++}`), hosts: [], now })
  const tls = await identityFrom(Date.now())
  const servers: Server[] = []
  afterAll(() => rmSync(directory, { recursive: true }))
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** Resolves with its port. */
  async function listen(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** A manager's enrolment door. `requests` are the bodies it was sent, `bytes` what arrived at all. */
  async function manager(reply: Reply, secure = true) {
    const requests: EnrolRequest[] = []
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const body = EnrolRequest.parse(JSON.parse(Buffer.concat(parts).toString()))
        requests.push(body)
        const { status, body: said } = reply(body, requests.length)
        response.writeHead(status, { 'content-type': 'application/json' }).end(typeof said === 'string' ? said : JSON.stringify(said))
      })
    }
    const server = secure ? createTlsServer({ key: tls.key, cert: tls.cert }, answer) : createServer(answer)
    let bytes = 0
    server.on('secureConnection', (socket) => socket.on('data', (part: Buffer) => (bytes += part.length)))
    return { url: `${secure ? 'https' : 'http'}://127.0.0.1:${await listen(server)}`, requests, bytes: () => bytes }
  }

  let boxes = 0
  function box(settings: { manager: string; fingerprint?: string; token?: string | undefined }) {
    const { token = TOKEN, ...rest } = settings
    const file = join(directory, `bridgehead-${boxes++}.json`)
    writeFileSync(file, JSON.stringify({ ...rest, token }), { mode: 0o640 })
    const said: string[] = []
    const note = (event: string, fields?: object) => void said.push(`${event} ${JSON.stringify(fields)}`)
    const log: Log = { ...silentLog, info: note, warn: note, error: note }
    const identity: Identity = { wireguard: WIREGUARD, wireguardFile: '/dev/null', signing: createSigningKey() }
    const config: EnrolSettings = { file, token, ...rest }
    const deps: EnrolDeps = {
      config,
      identity,
      hardware: { macs: [] },
      version: '0.0.0-test',
      store: openStore(':memory:'),
      clock: { ...systemClock, sleep: async () => {} },
      random: Math.random,
      log,
      signal: new AbortController().signal,
    }
    return { deps, config, said, file: () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>, path: file }
  }

  return { tls, identityFrom, listen, manager, box }
}
