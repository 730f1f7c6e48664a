import { formatProgress } from '@bridgehead/shared/text/format.ts'
import { createScreen } from '@bridgehead/shared/text/screen.ts'
import type { Manager } from './api.ts'
import { Failure } from './failure.ts'
import { type Printer, printable } from './print.ts'
import { openStream } from './streams.ts'
import type { World } from './world.ts'

/** How far the making of something is, whatever it is. */
export interface Made {
  hash: string
  state: 'waiting' | 'making' | 'ready' | 'failed' | 'cancelled'
  fraction: number
  text: string
  error?: string | undefined
  lines?: string[] | undefined
}

/**
 * Shows how the making of `asked` goes on, until it is there; resolves with it as it is then. `path` is its address below the API's root.
 * Throws Failure when it failed, or at Ctrl-C, which does not end the making.
 */
export async function awaitMade<T extends Made>(
  manager: Manager,
  world: World,
  { asked, path, what, again, printer }: { asked: T; path: string; what: string; again: string; printer: Printer },
): Promise<T> {
  const signal = world.interrupt()
  const screen = createScreen(world.stderr)
  const read = async () => (await (await manager.fetch(path)).json()) as T // the same shape as the answer to the wish
  let now: T = asked
  let said = ''
  const show = () => {
    if (printer.json) return
    const text = printable(now.text || (now.state === 'waiting' ? 'waits for its turn' : now.state))
    screen.show([`  ${formatProgress(now.fraction, 20)} ${String(Math.floor(now.fraction * 100)).padStart(3)} %  ${text}`])
    if (!screen.live && text !== said) printer.note(`  ${String(Math.floor(now.fraction * 100)).padStart(3)} %  ${text}`)
    said = text
  }
  try {
    if (!isOver(now)) {
      show()
      for await (const { data } of await openStream(manager, `${path}/progress`, world, { signal })) {
        now = JSON.parse(data) as T
        if (printer.json) printer.value(now, true)
        show()
        if (isOver(now)) break
      }
    }
  } finally {
    screen.show([])
  }
  if (now.state === 'ready') return read()
  if (now.state === 'failed' || now.state === 'cancelled') {
    const { lines = [] } = await read()
    throw new Failure(`${what} ${now.state === 'failed' ? `failed: ${printable(now.error ?? 'nobody knows why')}` : 'was cancelled'}`, {
      code: now.state,
      details: lines.slice(-10).map((line) => `  | ${printable(line)}`),
      next: [`again: ${again}`],
    })
  }
  throw new Failure(`no longer watched; ${what} goes on`, { code: 'interrupted', next: [`watch again: ${again}`] })
}

const isOver = ({ state }: Made) => state === 'ready' || state === 'failed' || state === 'cancelled'
