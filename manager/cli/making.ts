import { formatProgress } from '@bridgehead/shared/text/format.ts'
import { createScreen } from '@bridgehead/shared/text/screen.ts'
import type { LogLine } from '../engines/jobs/log-lines.ts'
import type { Made } from '../engines/jobs/requests.ts'
import type { Manager } from './api.ts'
import { Failure } from './failure.ts'
import { type Printer, printable } from './print.ts'
import { openStream, QUIET_MS } from './streams.ts'
import type { World } from './world.ts'

/** So many of the newest lines are shown under the bar, and told of a failure. */
const LIVE_LINES = 5
const LAST_LINES = 10

/**
 * Shows how the making of `asked` goes on, with its log, until it is there; resolves with it as it is then. `path` is its address below the API's root.
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
  let log: string[] = []
  const show = () => {
    if (printer.json) return
    const text = printable(now.text || (now.state === 'waiting' ? 'waits for its turn' : now.state))
    const percent = `${String(Math.floor(now.fraction * 100)).padStart(3)} %`
    screen.show([`  ${formatProgress(now.fraction, 20)} ${percent}  ${text}`, ...log.slice(-LIVE_LINES)])
    if (!screen.live && text !== said) printer.note(`  ${percent}  ${text}`)
    said = text
  }
  const take = (lines: readonly LogLine[]) => {
    const told = lines.map(({ text }) => `  | ${printable(text)}`)
    log = [...log, ...told].slice(-LAST_LINES)
    if (!screen.live) for (const line of told) printer.note(line)
  }
  try {
    if (!isOver(now)) {
      show()
      for await (const { event, data } of await openStream(manager, `${path}/progress`, world, { signal, quietMs: QUIET_MS })) {
        const told: unknown = JSON.parse(data)
        if (event === 'log') take(told as LogLine[])
        else now = told as T
        if (printer.json) printer.value(event === 'log' ? { hash: asked.hash, log: told } : told, true)
        show()
        if (isOver(now)) break
      }
    }
  } finally {
    screen.show([])
  }
  if (now.state === 'ready') return read()
  if (now.state === 'failed' || now.state === 'cancelled') {
    if (log.length === 0) take(((await read()).lines ?? []).map((text) => ({ id: 0, text }))) // it had failed before
    throw new Failure(`${what} ${now.state === 'failed' ? `failed: ${printable(now.error ?? 'nobody knows why')}` : 'was cancelled'}`, {
      code: now.state,
      details: log,
      next: [`again: ${again}`],
    })
  }
  throw new Failure(`no longer watched; ${what} goes on`, { code: 'interrupted', next: [`watch again: ${again}`] })
}

const isOver = ({ state }: Made) => state === 'ready' || state === 'failed' || state === 'cancelled'
