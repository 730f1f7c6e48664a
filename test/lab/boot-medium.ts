import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type FirmwareOptions, firmwareCommand } from './firmware.ts'
import { inside } from './processes.ts'
import { createSerialLog, type SerialLog } from './serial.ts'
import { waitFor } from './wait.ts'

/** A web server on loopback that remembers what it was asked. */
export interface Recorder {
  /** As machines with QEMU's own network reach it: `http://10.0.2.2:port`. */
  url: string
  /** Path and query, in order. */
  asked: string[]
  close(): Promise<void>
}

/** Unknown paths are answered 404. */
export async function createRecorder(files: Readonly<Record<string, Uint8Array | string>> = {}): Promise<Recorder> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const body = files[path.replace(/\?.*$/, '')]
    // GRUB reads this header only when it is written so.
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Length': body === undefined ? 0 : Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://10.0.2.2:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface BootOptions extends FirmwareOptions {
  /** Time limit in seconds. */
  seconds: number
  /** A network namespace; the machine's own without. */
  namespace?: string
  /** What is awaited, in words, and whether it came. */
  what: string
  came(serial: SerialLog): boolean
}

/**
 * Boots a machine from a medium until what is awaited came, and pulls the plug. Returns the serial port's log and the seconds from power-on.
 * Throws WaitError with the last lines of the serial port, or Error when QEMU ends by itself.
 */
export async function bootMedium(options: BootOptions): Promise<{ serial: SerialLog; seconds: number }> {
  const argv = firmwareCommand(options)
  const serial = createSerialLog({ file: join(options.directory, 'serial.log'), now: Date.now })
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...(options.namespace ? inside(options.namespace) : []), ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let over: string | undefined
  child.stdout.on('data', (chunk: Buffer) => serial.feed(chunk))
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000)
  })
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      over = error.message
      resolve()
    })
    child.once('close', (code, signal) => {
      over ??= `${signal ?? `exit code ${code}`}: ${said}`
      resolve()
    })
  })
  const began = performance.now()
  const log = () => `the serial port's log:\n${serial.last(60)}`
  try {
    await waitFor(
      options.what,
      () => {
        if (options.came(serial)) return true
        if (over !== undefined) throw new Error(`QEMU ended by itself (${over}); ${log()}`)
        return undefined
      },
      { ms: options.seconds * 1000, details: log },
    )
    return { serial, seconds: (performance.now() - began) / 1000 }
  } finally {
    child.kill('SIGKILL')
    await gone
    serial.close()
  }
}
