import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { fingerprintOf } from '@bridgehead/shared/model/signed.ts'
import { createOutbox } from '../../store/outbox.ts'
import { openStore, type Store } from '../../store/store.ts'
import { type ArtifactCache, createArtifactCache } from '../cache/cache.ts'
import type { Adoption } from '../membership.ts'
import { MANAGER } from '../samples.ts'
import { createStateKeeper, type StateKeeper } from '../state-keeper.ts'
import { type TarFile, tarOf } from './bundle-samples.ts'
import { BundleError } from './check.ts'
import { importFiles } from './files.ts'
import { type Imported, importBundle } from './import.ts'
import { createBundleInbox } from './inbox.ts'

const clock = { ...systemClock, every: (ms: number, task: () => void) => systemClock.every(ms / 20, task) }
const log = silentLog
export const TRUST = await fingerprintOf(MANAGER)

/** What a test of the import needs: a data directory, the command's half and the daemon's. */
export type ImportRig = Awaited<ReturnType<typeof importRig>>

/** For tests. `close` ends what runs and removes the directory. */
export async function importRig() {
  const data = await mkdtemp(join(tmpdir(), 'import-'))
  const said: string[] = []
  const closing: (() => Promise<void>)[] = []

  /** As the command does it; `trust: null` is without --trust. */
  async function bring(files: readonly TarFile[] | Buffer, more: { trust?: string | null; media?: string; reserveBytes?: number } = {}) {
    const bytes = Buffer.isBuffer(files) ? files : await tarOf(files as readonly TarFile[])
    const pieces = Array.from({ length: Math.ceil(bytes.length / 700) }, (_, index) => bytes.subarray(index * 700, index * 700 + 700))
    const { trust = TRUST, ...rest } = more
    const vouched = trust === null ? {} : { trust }
    return importBundle({ file: Readable.from(pieces), data, say: (line) => said.push(line), clock, newId, ...vouched, ...rest })
  }

  /** The daemon's half: store, cache, inbox. */
  async function daemon({ applyInWrite = () => {} }: { applyInWrite?: () => void } = {}) {
    const store: Store = openStore(join(data, 'appliance.sqlite'))
    const outbox = createOutbox(store.db, { clock, newId })
    const source = () => undefined
    const cache: ArtifactCache = createArtifactCache({
      ...{ store, outbox, clock, log, source },
      random: () => 0,
      directory: join(data, 'artifacts'),
    })
    let states: StateKeeper | undefined
    const heard: number[] = []
    const openSite = async ({ site, managerKeys }: Adoption) => {
      if (states) return states
      states = createStateKeeper({ ...{ site, managerKeys, applyInWrite, store, outbox, log } })
      states.onState((state) => heard.push(state.revision))
      await states.load()
      return states
    }
    await cache.start()
    const inbox = createBundleInbox({ data, store, cache, openSite, clock, log })
    await inbox.start()
    const stop = async () => {
      await inbox.stop()
      await cache.stop()
      store.close()
    }
    closing.push(stop)
    const kinds = () => outbox.peek(100).map(({ event }) => (JSON.parse(event) as { kind: string }).kind)
    return { store, cache, heard, kinds, states: () => states, stop: () => closing.splice(closing.indexOf(stop), 1)[0]?.() ?? stop() }
  }

  return {
    ...{ data, said, bring, daemon },
    files: () => importFiles(data),
    async close() {
      for (const close of closing.splice(0).reverse()) await close()
      await rm(data, { recursive: true })
    },
  }
}

/** The sentence with which it is refused. */
export const refusal = (work: Promise<Imported>) =>
  work.then(
    (done) => `it was taken: ${done.kind}`,
    (error: unknown) => (error instanceof BundleError ? error.message : `no sentence: ${error}`),
  )
