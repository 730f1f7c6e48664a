import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createPlain, type Server } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { getRequestListener } from '@hono/node-server'
import type { Engines } from '../assemble.ts'
import { createAuth } from '../auth/auth.ts'
import type { Scope } from '../engines/http/scope.ts'
import { openStore } from '../engines/store/store.ts'
import { type Harness, startHarness } from '../harness.ts'
import { runCli } from './cli.ts'
import type { World } from './world.ts'

export interface Said {
  code: number
  stdout: string
  stderr: string
}
export interface Typed {
  env?: Record<string, string>
  /** Standard input, where there is no terminal. */
  stdin?: string
  /** What a person answers on the terminal, in order. */
  answers?: string[]
  /** Ctrl-C. */
  signal?: AbortSignal
  /** Hears each piece of standard output as it comes. */
  onOutput?: (text: string) => void
}

/** For tests: a manager in memory with real accounts, on a loopback port, and the command beside it. */
export interface CliRig {
  harness: Harness
  url: string
  /** Of organisation Acme, with every scope. */
  key: string
  newKey(scopes: readonly Scope[]): Promise<{ id: string; key: string }>
  deleteKey(id: string): Promise<void>
  /** Runs a command line in this process; logged in with `key` unless `env` says otherwise. */
  cli(args: readonly string[], typed?: Typed): Promise<Said>
  /** Takes the manager away from its port, cutting all connections, and back to it. */
  listener: { start(): Promise<void>; stop(): Promise<void> }
  /** Where XDG_CONFIG_HOME is. */
  directory: string
  close(): Promise<void>
}

export async function startCliRig({
  engines,
  tls,
  now,
}: {
  engines?: Partial<Engines>
  tls?: { key: string; cert: string }
  /** What the manager's clock shows at first. */
  now?: number
} = {}): Promise<CliRig> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-cli-'))
  const db = await openStore(':memory:')
  const baseUrl = 'http://127.0.0.1'
  const auth = createAuth({
    db,
    secret: 's'.repeat(43),
    baseUrl,
    trustedOrigins: [baseUrl],
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    clock: systemClock,
    log: silentLog,
  })
  await auth.migrate()
  const { organisation, user } = await auth.createOwner({
    ...{ email: 'ada@example.com', password: 'correct horse battery', name: 'Ada', organisation: 'Acme' },
  })
  const newKey = (scopes: readonly Scope[]) => auth.keys.create({ organisation, user, name: 'laptop', scopes })
  const { key } = await newKey(['admin'])
  const harness = await startHarness({ db, engines: { auth, ...engines }, ...(now === undefined ? {} : { now }) })
  const answer = getRequestListener(harness.manager.app.fetch)
  const listen = async (port: number): Promise<Server> => {
    const server = tls ? createSecure(tls, answer) : createPlain(answer)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return server
  }
  let server = await listen(0)
  const { port } = server.address() as AddressInfo
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const clock = { ...systemClock, now: harness.clock.now }

  return {
    ...{ harness, url, key, newKey, directory },
    deleteKey: async (id) => void (await auth.keys.remove(organisation, id)),
    listener: {
      stop,
      async start() {
        server = await listen(port)
      },
    },
    async cli(args, { env = { BRIDGEHEAD_URL: url, BRIDGEHEAD_KEY: key }, stdin = '', answers, signal, onOutput } = {}) {
      const said = { stdout: '', stderr: '' }
      const left = [...(answers ?? [])]
      const mutter = (text: string) => {
        said.stderr += text
      }
      const world: World = {
        env: { XDG_CONFIG_HOME: directory, ...env },
        stdin: (async function* () {
          yield stdin
        })(),
        stdout: {
          write(text) {
            said.stdout += text
            onOutput?.(text)
          },
        },
        stderr: { write: mutter },
        clock,
        ask:
          answers &&
          (async (question) => {
            mutter(question)
            return left.shift() ?? ''
          }),
        interrupt: () => signal ?? new AbortController().signal,
      }
      return { code: await runCli(args, world), ...said }
    },
    async close() {
      await stop()
      await harness.close()
      await rm(directory, { recursive: true })
    },
  }
}
