import { createHash } from 'node:crypto'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { Command } from '@bridgehead/shared/model/command.ts'
import { type PublicKey, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { explain } from './explain.ts'

/**
 * Called once per order, inside the write that remembers its id: what it stores is kept together with the id, or not at all.
 * It must not wait; long work starts from what it stored. Throwing refuses the order.
 */
export type CommandHandler = (command: Command) => void

export interface CommandTaker {
  /** Takes one order of the stream. Once it resolves, the outcome is on disk and the entry may be deleted. Never rejects for a bad order. */
  take(jws: string): Promise<void>
}

/** How long a settled id is remembered past its deadline; a replay after that is refused by the deadline. */
const REMEMBER_MS = 7 * 86_400_000

export function createCommandTaker({
  site,
  trusted,
  handle,
  store,
  outbox,
  clock,
  log,
}: {
  site: string
  trusted: () => readonly PublicKey[]
  handle: CommandHandler
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
}): CommandTaker {
  const seen = store.db.prepare<[string], { outcome: string }>('SELECT outcome FROM commands WHERE id = ?')
  const remember = store.db.prepare('INSERT INTO commands (id, at, outcome) VALUES (?, ?, ?)')
  const forget = store.db.prepare('DELETE FROM commands WHERE at < ?')

  const refuse = async (id: string, why: string, until: number) => {
    const told = await store.write(() => {
      if (seen.get(id)) return false
      remember.run(id, until, 'refused')
      outbox.add('command.refused', { command: id, why })
      return true
    })
    if (told) log.warn('command.refused', { command: id, why })
  }

  const accept = (command: Command) =>
    store.write(() => {
      if (seen.get(command.id)) return false
      forget.run(clock.now() - REMEMBER_MS)
      remember.run(command.id, Math.max(command.deadline, clock.now()), 'accepted')
      handle(command)
      return true
    })

  return {
    async take(jws) {
      const now = clock.now()
      const verdict = await read(jws, { site, keys: trusted(), now })
      if (!verdict.good) return refuse(verdict.id, verdict.why, now)
      const { command } = verdict
      try {
        if (await accept(command)) log.info('command.accepted', { command: command.id, kind: command.order.kind })
      } catch (error) {
        await refuse(command.id, `could not be carried out: ${error instanceof Error ? error.message : String(error)}`, command.deadline)
      }
    },
  }
}

type Verdict = { good: true; command: Command } | { good: false; id: string; why: string }

async function read(jws: string, { site, keys, now }: { site: string; keys: readonly PublicKey[]; now: number }): Promise<Verdict> {
  let value: unknown
  try {
    value = await verifyDocument('command', jws, keys)
  } catch (error) {
    // Nothing in it can be believed, its id neither: the bytes name themselves.
    const id = `sha256:${createHash('sha256').update(jws).digest('hex')}`
    return { good: false, id, why: error instanceof Error ? error.message : String(error) }
  }
  return judgeCommand(value, { site, now })
}

const Named = z.object({ id: z.string().max(100) })

/** Whether an order whose signature was verified is for this site and still in time. Pure. */
export function judgeCommand(value: unknown, { site, now }: { site: string; now: number }): Verdict {
  const named = Named.safeParse(value)
  const id = named.success ? named.data.id : 'unnamed'
  const refuse = (why: string): Verdict => ({ good: false, id, why })
  const parsed = Command.safeParse(value)
  if (!parsed.success) return refuse(explain(parsed.error))
  const command = parsed.data
  if (command.protocol > PROTOCOL) return refuse(`written in protocol ${command.protocol}; this appliance speaks ${PROTOCOL}`)
  if (command.site !== site) return refuse(`meant for site ${command.site}; this is ${site}`)
  if (command.deadline < now) return refuse(`came ${Math.ceil((now - command.deadline) / 1000)} s after its deadline`)
  return { good: true, command }
}
