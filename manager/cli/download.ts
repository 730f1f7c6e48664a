import { createHash } from 'node:crypto'
import { open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes, formatProgress } from '@bridgehead/shared/text/format.ts'
import type { Screen } from '@bridgehead/shared/text/screen.ts'
import type { Manager } from './api.ts'
import { Failure } from './failure.ts'
import { printable } from './print.ts'
import { patiently } from './streams.ts'
import type { World } from './world.ts'

export interface Download {
  /** Path below the API's root, or an address that needs no key. */
  from: { path: string } | { url: string }
  /** File to write; of a directory, a file named `name` in it. */
  to: string
  name: string
  /** Checked when known. */
  sha256?: string | undefined
  bytes?: number | undefined
}

/**
 * Fetches a file; what a cut connection left in `FILE.part` is gone on with, also by a later call. The file is there once it is whole.
 * Resolves with its path and size. Throws Failure.
 */
export async function download(manager: Manager, world: World, screen: Screen, wish: Download): Promise<{ file: string; bytes: number }> {
  const isDirectory = await stat(wish.to).then(
    (found) => found.isDirectory(),
    () => wish.to.endsWith('/'),
  )
  const file = isDirectory ? join(wish.to, wish.name) : wish.to
  const part = `${file}.part`
  const signal = world.interrupt()
  const handle = await open(part, 'a+').catch((cause: unknown) => {
    throw new Failure(`${part} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { code: 'file', cause })
  })
  try {
    const hash = createHash('sha256')
    let at = 0
    for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
      hash.update(chunk)
      at += chunk.length
    }
    const show = (total: number | undefined) => {
      const bar = total ? `${formatProgress(at / total, 20)} ${Math.floor((at / total) * 100)} %  ` : ''
      screen.show([`  ${bar}${formatBytes(at)}${total ? ` of ${formatBytes(total)}` : ''}  ${printable(wish.name)}`])
    }
    await patiently(world, signal, async () => {
      if (wish.bytes !== undefined && at === wish.bytes) return
      const answer = await request(manager, wish, at, signal)
      if (at > 0 && answer.status !== 206)
        throw new Failure(`the address of ${wish.name} gives no parts`, { code: 'file', next: [`delete ${part} and try again`] })
      const total = wish.bytes ?? at + Number(answer.headers.get('content-length') ?? 0)
      try {
        for await (const chunk of answer.body ?? []) {
          signal.throwIfAborted()
          await handle.appendFile(chunk)
          hash.update(chunk)
          at += chunk.length
          show(total)
        }
      } catch (cause) {
        if (signal.aborted)
          throw new Failure(`stopped; ${part} has ${formatBytes(at)}`, {
            code: 'interrupted',
            next: ['the same command goes on from there'],
            cause,
          })
        throw new Failure('the connection was cut', { code: 'unreachable', cause })
      }
      if (total > 0 && at < total) throw new Failure('the connection was cut', { code: 'unreachable' })
    })
    const found = hash.digest('hex')
    if (wish.sha256 !== undefined && found !== wish.sha256)
      throw new Failure(`${part} has sha256 ${found}, expected ${wish.sha256}`, { code: 'damaged', next: [`delete ${part} and try again`] })
    await handle.sync()
    await rename(part, file)
    return { file, bytes: at }
  } finally {
    await handle.close()
    screen.show([])
  }
}

async function request(manager: Manager, { from }: Download, at: number, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = at > 0 ? { range: `bytes=${at}-` } : {}
  if ('url' in from) return manager.fetchOutside(from.url, { headers, signal })
  const answer = await manager.fetch(from.path, { redirect: 'manual', signal })
  const place = answer.headers.get('location')
  if (place === null) return answer
  return manager.fetchOutside(new URL(place, manager.url).href, { headers, signal })
}
