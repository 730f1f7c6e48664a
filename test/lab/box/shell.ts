import { connect, type Socket } from 'node:net'
import { stripVTControlCharacters } from 'node:util'
import { waitFor } from '../wait.ts'

/** A root shell on the second serial port: only images made with the lab's overlay have one. */
export interface Shell {
  /** Runs one line; resolves with what it wrote, both streams, and its exit code. Throws WaitError when it does not end in time. */
  run(line: string, options?: { ms?: number }): Promise<{ text: string; code: number }>
  close(): void
}

/** Connects to QEMU's socket; the shell behind it may come up later. */
export function createShell(path: string): Shell {
  let socket: Socket | undefined
  let heard = ''
  let turn: Promise<unknown> = Promise.resolve()
  let count = 0
  async function open(): Promise<Socket> {
    if (socket && !socket.destroyed) return socket
    const made = connect(path)
    made.on('data', (chunk) => {
      heard += stripVTControlCharacters(chunk.toString('latin1')).replaceAll('\r', '')
    })
    await new Promise<void>((resolve, reject) => {
      made.once('connect', resolve)
      made.once('error', reject)
    })
    made.on('error', () => made.destroy()) // the machine went; the next line connects again
    socket = made
    return made
  }
  async function ask(line: string, ms: number): Promise<{ text: string; code: number }> {
    const out = await open()
    const mark = `done-${++count}`
    const pattern = new RegExp(`begin-${mark}\\n([\\s\\S]*?)\\n?end-${mark} (\\d+)`)
    heard = ''
    let sent = 0
    // The words are split by quotes, so that a terminal's echo of the line is not taken for the answer.
    const words = `echo begin-"${mark}"; { ${line}\n} 2>&1; code=$?; echo; echo end-"${mark}" $code\n`
    return waitFor(
      `the shell's answer to "${line}"`,
      () => {
        if (performance.now() - sent > 5000 && !heard.includes(`begin-${mark}`)) {
          out.write(words) // again, while nothing was there to read it
          sent = performance.now()
        }
        const found = pattern.exec(heard)
        return found ? { text: found[1] ?? '', code: Number(found[2]) } : undefined
      },
      { ms, everyMs: 50, details: () => `heard: ${heard.slice(-500)}` },
    )
  }
  return {
    run(line, { ms = 60_000 } = {}) {
      const answer = turn.then(() => ask(line, ms))
      turn = answer.catch(() => undefined) // the next line has its own luck
      return answer
    },
    close: () => void socket?.destroy(),
  }
}
