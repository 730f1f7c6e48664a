import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { waitFor } from './wait.ts'

const Message = z.object({
  return: z.unknown().optional(),
  error: z.object({ class: z.string(), desc: z.string() }).optional(),
  event: z.string().optional(),
})

/** QEMU's control socket (QMP): one order at a time. */
export interface Qmp {
  execute(command: string, args?: Record<string, unknown>): Promise<unknown>
  close(): void
}

/** Connects as soon as QEMU has made its socket. */
export async function connectQmp(path: string, onEvent: (event: string) => void): Promise<Qmp> {
  const socket = await waitFor('QEMU to make its control socket', () => tryConnect(path), { ms: 10_000, everyMs: 50 })
  const waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = []
  createInterface({ input: socket }).on('line', (line) => {
    const message = Message.parse(JSON.parse(line))
    if (message.event !== undefined) onEvent(message.event)
    else if (message.error) waiting.shift()?.reject(new Error(`QEMU: ${message.error.class}: ${message.error.desc}`))
    else if ('return' in message) waiting.shift()?.resolve(message.return)
  })
  socket.on('error', (error) => {
    for (const one of waiting.splice(0)) one.reject(error)
  })
  socket.on('close', () => {
    for (const one of waiting.splice(0)) one.reject(new Error('QEMU closed its control socket'))
  })
  const execute = (command: string, args: Record<string, unknown> = {}) =>
    new Promise<unknown>((resolve, reject) => {
      waiting.push({ resolve, reject })
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    })
  await execute('qmp_capabilities')
  return { execute, close: () => void socket.destroy() }
}

function tryConnect(path: string) {
  return new Promise<ReturnType<typeof connect> | undefined>((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
  })
}
