import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Command } from '@bridgehead/shared/model/command.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { createPump } from '../engines/pump.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** Orders on their way down: kept in the transaction that gave them, then sent, and sent again after Redis was lost. */
export interface Commands extends Service {
  /** Inside the transaction of what the order is for. `deadline` in epoch ms. Returns the command's id. */
  add(tx: Tx, to: { organisation: string; site: string }, order: Command['order'], deadline: number): Promise<string>
  /** After the transaction. */
  kick(): void
  /** Sends everything that is not void again; appliances remember ids, so no order is carried out twice. */
  resend(): Promise<void>
}

export interface CommandDeps {
  db: Db
  signingKey: PrivateKey
  send(site: string, jws: string): Promise<unknown>
  newId: NewId
  clock: Clock
  log: Log
}

const RETRY_MS = 5_000
/** Void orders are kept so long, for whoever asks what was sent. */
const KEPT_MS = 7 * 86_400_000

export function createCommands({ db, signingKey, send, newId, clock, log }: CommandDeps): Commands {
  let stopped = true
  let cancel: (() => void) | undefined

  const pass = async () => {
    if (stopped) return
    const now = clock.now()
    const due = await db
      .selectFrom('commands')
      .select(['id', 'site', 'jws'])
      .where('sent_at', 'is', null)
      .where('deadline', '>', now)
      .orderBy('id')
      .limit(500)
      .execute()
    for (const { id, site, jws } of due) {
      try {
        await send(site, jws)
        await db.updateTable('commands').set({ sent_at: clock.now() }).where('id', '=', id).execute()
        log.info('command.sent', { site, command: id })
      } catch (error) {
        log.warn('command.not_sent', { site, command: id, error })
        return // Redis is away; the timer tries again
      }
    }
    if (due.length === 500) return pass()
    await db
      .deleteFrom('commands')
      .where('deadline', '<', now - KEPT_MS)
      .execute()
  }

  const pump = createPump(pass, (error) => log.error('command.pump_failed', { error }))

  return {
    name: 'commands',
    async add(tx, { organisation, site }, order, deadline) {
      const id = newId()
      const at = clock.now()
      const command: Command = { protocol: PROTOCOL, id, site, at, deadline, order }
      const jws = await signDocument('command', command, signingKey)
      await tx.insertInto('commands').values({ id, organisation, site, jws, deadline, created_at: at, sent_at: null }).execute()
      return id
    },
    kick: () => void pump(),
    async resend() {
      await db.updateTable('commands').set({ sent_at: null }).where('deadline', '>', clock.now()).execute()
      await pump()
    },
    async start() {
      stopped = false
      cancel = clock.every(RETRY_MS, () => void pump())
      await pump()
    },
    async stop() {
      stopped = true
      cancel?.()
      await pump() // the one under way
    },
  }
}
