import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LabNode } from './node.ts'
import { waitFor } from './wait.ts'

/** A TCP port of a namespace, reachable on this machine's loopback. */
export interface Exposed {
  /** On 127.0.0.1. */
  port: number
  close(): void
}

let count = 0

export async function expose(node: LabNode, directory: string, target: { host: string; port: number }): Promise<Exposed> {
  const path = join(directory, `portal-${count++}.sock`)
  let ready = ''
  const portal = node.spawn(
    'portal',
    [process.execPath, fileURLToPath(new URL('portal.ts', import.meta.url)), path, target.host, String(target.port)],
    {
      onOutput: (chunk) => {
        ready += chunk.toString()
      },
      logFile: `${path}.log`,
    },
  )
  await waitFor('the portal into the namespace', () => (ready.includes('ready') ? true : undefined), { ms: 10_000, everyMs: 20 })
  const server = createServer((from) => {
    const to = connect(path)
    from.pipe(to).pipe(from)
    from.on('error', () => to.destroy())
    to.on('error', () => from.destroy())
  })
  server.unref()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    close() {
      server.close()
      portal.kill('SIGTERM')
    },
  }
}
