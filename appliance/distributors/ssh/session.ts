import type { Clock } from '@bridgehead/shared/clock.ts'
import ssh2 from 'ssh2'
import { isPinned, parseHostKeys, preferredAlgorithms, refusal } from './host-keys.ts'
import type { StreamName } from './output.ts'
import { createGroupFinder } from './script.ts'

/** Where and as whom; `hostKeys` are the OpenSSH lines that the host reported when it phoned home. */
export interface Target {
  ip: string
  port: number
  user: string
  hostKeys: readonly string[]
}

/** How a script ended. `broke`: the connection went away and nobody knows. */
export type Outcome = { kind: 'exit'; exitCode: number } | { kind: 'signal'; signal: string } | { kind: 'broke'; why: string }

export interface Session {
  /** Sends `input` to the standard input of `bash -s`. Never rejects. An abort of `signal` ends the script, then the connection. */
  exec(input: string, onOutput: (stream: StreamName, bytes: Buffer) => void, signal: AbortSignal): Promise<Outcome>
  end(): void
}

/** Opens a session. Rejects with SshError. */
export type Connect = (target: Target, signal: AbortSignal) => Promise<Session>

/** `mayPass`: the same might work later (a host that boots). The message says what to do. */
export class SshError extends Error {
  readonly code = 'ssh'
  readonly mayPass: boolean
  constructor(message: string, { mayPass, cause }: { mayPass: boolean; cause?: unknown }) {
    super(message, { cause })
    this.mayPass = mayPass
  }
}

const READY_MS = 15_000 // key exchange and authentication; a small board needs seconds
const KEEPALIVE_MS = 15_000 // three without an answer: the host is gone
const LATE_OUTPUT_MS = 1000 // what a script started in the background may hold its output open for ever
const KILL_MS = 2000 // between SIGTERM and SIGKILL

export function createConnect({ privateKey, clock }: { privateKey: string; clock: Clock }): Connect {
  return (target, signal) =>
    new Promise((resolve, reject) => {
      const { ip, port, user } = target
      const pinned = parseHostKeys(target.hostKeys)
      if (pinned.length === 0)
        return reject(
          new SshError(`${ip} has no pinned host key, so nobody can tell who answers there; let the host phone home first`, {
            mayPass: false,
          }),
        )

      const client = new ssh2.Client()
      let refused: string | undefined
      let isOpen = false
      const fail = (error: SshError) => {
        client.destroy()
        reject(error)
      }
      const aborted = () => fail(new SshError('given up', { mayPass: false }))
      signal.addEventListener('abort', aborted, { once: true })
      client.on('ready', () => {
        isOpen = true
        signal.removeEventListener('abort', aborted)
        resolve(openSession(client, clock))
      })
      client.on('error', (error) => {
        if (!isOpen) fail(refused === undefined ? explain(target, error) : new SshError(refused, { mayPass: false, cause: error }))
      })
      client.on('close', () => {
        signal.removeEventListener('abort', aborted)
        if (!isOpen) fail(new SshError(`${ip} closed the connection before it was ready`, { mayPass: true }))
      })
      if (signal.aborted) return aborted()
      client.connect({
        host: ip,
        port,
        username: user,
        privateKey,
        readyTimeout: READY_MS,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: 3,
        algorithms: { serverHostKey: preferredAlgorithms(pinned) },
        hostVerifier: (presented: Buffer) => {
          if (isPinned(pinned, presented)) return true
          refused = refusal(ip, pinned, presented)
          return false
        },
      })
    })
}

function explain({ ip, port, user }: Target, error: Error & { level?: string; code?: string }): SshError {
  if (error.level === 'client-authentication')
    return new SshError(
      `${ip} refused the site's key for user "${user}"; add the site's public key to ~${user}/.ssh/authorized_keys there, or install the host through Bridgehead`,
      { mayPass: false, cause: error },
    )
  if (error.code === 'ECONNREFUSED')
    return new SshError(`${ip} refuses connections to port ${port}; check that its SSH server runs`, { mayPass: true, cause: error })
  if (error.level === 'client-timeout' || error.code === 'ETIMEDOUT' || error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH')
    return new SshError(`${ip} does not answer on port ${port}; check that the host is on and has this address`, {
      mayPass: true,
      cause: error,
    })
  if (/no matching/.test(error.message))
    return new SshError(`${ip} and this appliance share no SSH algorithm (${error.message}); update the host's SSH server`, {
      mayPass: false,
      cause: error,
    })
  return new SshError(`the SSH connection to ${ip} failed: ${error.message}`, { mayPass: true, cause: error })
}

function broken(error: unknown): Outcome {
  return { kind: 'broke', why: error instanceof Error ? error.message : String(error) }
}

function openSession(client: ssh2.Client, clock: Clock): Session {
  return {
    exec: (input, onOutput, signal) =>
      new Promise((resolve) => {
        let cancelTimer = () => {}
        let onAbort = () => {}
        const settle = (outcome: Outcome) => {
          cancelTimer()
          signal.removeEventListener('abort', onAbort)
          resolve(outcome)
        }
        const later = (ms: number, task: () => void) => {
          cancelTimer()
          cancelTimer = clock.after(ms, task)
        }
        client.on('error', (error) => settle({ kind: 'broke', why: error.message }))
        client.on('close', () => settle({ kind: 'broke', why: 'the host closed the connection' }))

        const onChannel = (channel: ssh2.ClientChannel) => {
          let ended: Outcome | undefined
          const finder = createGroupFinder()
          // Our own `kill` beside the request of RFC 4254 §6.9: OpenSSH refuses that one for root.
          const kill = (name: 'TERM' | 'KILL') => {
            const group = finder.group()
            try {
              channel.signal(name)
              if (group) client.exec(`kill -${name} -- -${group}`, (_error, killer) => killer?.resume())
            } catch (error) {
              settle(broken(error)) // the connection has just ended, and ssh2 throws then
            }
          }
          onAbort = () => {
            kill('TERM')
            later(KILL_MS, () => {
              kill('KILL')
              later(KILL_MS, () => settle({ kind: 'broke', why: 'the script did not end when told to' }))
            })
          }
          channel.on('data', (bytes: Buffer) => onOutput('stdout', bytes))
          channel.stderr.on('data', (bytes: Buffer) => onOutput('stderr', finder.add(bytes)))
          channel.on('exit', (exitCode: number | null, name?: string) => {
            const outcome: Outcome = exitCode === null ? { kind: 'signal', signal: name ?? 'unknown' } : { kind: 'exit', exitCode }
            ended = outcome
            onOutput('stderr', finder.rest())
            later(LATE_OUTPUT_MS, () => settle(outcome))
          })
          channel.on('close', () => settle(ended ?? { kind: 'broke', why: 'the host closed the session' }))
          channel.on('error', (error: Error) => settle({ kind: 'broke', why: error.message }))
          signal.addEventListener('abort', onAbort, { once: true })
          if (signal.aborted) onAbort()
          channel.end(input)
        }
        try {
          client.exec('bash -s', (error, channel) => (error ? settle({ kind: 'broke', why: error.message }) : onChannel(channel)))
        } catch (error) {
          settle(broken(error))
        }
      }),
    end: () => client.end(),
  }
}
