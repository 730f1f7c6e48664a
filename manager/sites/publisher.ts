import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { sql } from 'kysely'
import { createSweeper } from '../engines/pump.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { type CompileInput, compile, contentHash } from './compile.ts'
import { findSiteById, type SiteRow } from './records.ts'

/** Compiles, signs and publishes the states of sites: soon after each change, and again after a crash or a lost Redis. */
export interface Publisher extends Service {
  /** Inside the transaction of the change. Without `site`: every site of the organisation; without both: every site. */
  mark(tx: Tx, organisation?: string, site?: string): Promise<void>
  /** After the transaction. */
  kick(): void
  /** Resolves once everything that was marked before has been compiled. */
  settled(): Promise<void>
  /** Puts every state into Redis again. */
  republish(): Promise<void>
}

export interface PublisherDeps {
  db: Db
  /** Reads what goes into the state, but for what the site row says. */
  inputs(tx: Tx, site: SiteRow): Promise<Omit<CompileInput, 'site'>>
  publish(site: string, jws: string, revision: number): Promise<void>
  signingKey: PrivateKey
  clock: Clock
  log: Log
}

/** Changes that come together make one revision. */
const DEBOUNCE_MS = 30
/** Redis was away, or a crash came between change and kick. */
const SWEEP_MS = 5_000

export function createPublisher({ db, inputs, publish, signingKey, clock, log }: PublisherDeps): Publisher {
  let publishing = false

  const pass = async () => {
    for (const { site } of await db.selectFrom('site_states').select('site').whereRef('wanted', '>', 'compiled').execute())
      await compileOne(site).catch((error) => log.error('state.not_compiled', { site, error }))
    if (publishing) await publishDue()
  }

  const compileOne = async (id: string) => {
    const read = await db.transaction().execute(async (tx) => {
      const site = await findSiteById(tx, id)
      const old = await tx
        .selectFrom('site_states')
        .select(['wanted', 'revision', 'content_sha256'])
        .where('site', '=', id)
        .executeTakeFirst()
      return site && old ? { old, content: compile({ site, ...(await inputs(tx, site)) }) } : undefined
    })
    if (!read) return
    const { old, content } = read
    const hash = contentHash(content)
    if (hash === old.content_sha256) {
      await db.updateTable('site_states').set({ compiled: old.wanted }).where('site', '=', id).execute()
      return
    }
    const state: SiteState = { ...content, revision: old.revision + 1, at: clock.now() }
    const jws = await signDocument('state', state, signingKey)
    await db
      .updateTable('site_states')
      .set({ compiled: old.wanted, revision: state.revision, content_sha256: hash, state: JSON.stringify(state), jws, at: state.at })
      .where('site', '=', id)
      .execute()
    log.info('state.compiled', { site: id, revision: state.revision, hosts: state.hosts.length, bytes: jws.length })
  }

  const publishDue = async () => {
    const due = await db.selectFrom('site_states').select(['site', 'jws', 'revision']).whereRef('published', '<', 'revision').execute()
    for (const { site, jws, revision } of due) {
      try {
        await publish(site, jws, revision)
        await db.updateTable('site_states').set({ published: revision }).where('site', '=', site).execute()
      } catch (error) {
        log.warn('state.not_published', { site, revision, error })
        return // Redis is away; the next sweep tries again
      }
    }
  }

  const sweeper = createSweeper({
    pass,
    clock,
    debounceMs: DEBOUNCE_MS,
    everyMs: SWEEP_MS,
    onError: (error) => log.error('state.sweep_failed', { error }),
  })

  return {
    name: 'state publisher',
    async mark(tx, organisation, site) {
      await tx
        .updateTable('site_states')
        .set({ wanted: sql`wanted + 1` })
        .$if(organisation !== undefined, (query) => query.where('organisation', '=', organisation ?? ''))
        .$if(site !== undefined, (query) => query.where('site', '=', site ?? ''))
        .execute()
    },
    kick: sweeper.kick,
    settled: sweeper.settled,
    async republish() {
      await db.updateTable('site_states').set({ published: 0 }).execute()
      await sweeper.settled()
    },
    async start() {
      publishing = true
      await sweeper.start()
    },
    stop: sweeper.stop,
  }
}
