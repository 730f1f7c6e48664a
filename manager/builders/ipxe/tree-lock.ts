import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Lock {
  release(): Promise<void>
}

const BUSY = 75

/**
 * Takes the kernel's lock on `file` (flock(2)), among all processes of this machine; undefined when another has it. It falls with this
 * process, however that ends: the one who holds it lives no longer than the pipe to it.
 */
export async function tryLock(file: string): Promise<Lock | undefined> {
  const hold = ['--no-fork', '--nonblock', '--conflict-exit-code', String(BUSY), file, 'sh', '-c', 'echo; exec cat']
  // its own session: Ctrl-C at the terminal must not let go of the lock before we do
  const child = spawn('flock', hold, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, cwd: '/' })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stdin.on('error', () => undefined) // it ended first: `close` tells
  const closed = once(child, 'close')
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), closed.then(() => false)])
  if (held)
    return {
      async release() {
        child.stdin.end()
        await closed
      },
    }
  if (child.exitCode === BUSY) return undefined
  throw new Error(`cannot lock ${file}: ${said.trim() || `flock ended with ${child.exitCode}`}`)
}

/** Resolves once nobody holds the lock; it is not taken. A file that does not exist is not held. */
export async function untilFree(file: string, seconds: number): Promise<boolean> {
  const child = spawn('flock', ['--timeout', String(seconds), '--conflict-exit-code', String(BUSY), file, 'true'], {
    stdio: 'ignore',
    cwd: '/',
  })
  const [code] = await once(child, 'exit')
  return code !== BUSY
}
