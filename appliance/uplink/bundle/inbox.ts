import { mkdirSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { artifactsOf } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Store } from '../../store/store.ts'
import type { ArtifactCache } from '../cache/cache.ts'
import { type Adoption, readSite, writeAdoption } from '../membership.ts'
import type { StateKeeper } from '../state-keeper.ts'
import { BundleError, checkHead, checkState } from './check.ts'
import { importFiles, type Order } from './files.ts'
import { takeLock } from './lock.ts'
import { standingOf } from './standing.ts'

export interface BundleInboxDeps {
  /** The appliance's data directory. */
  data: string
  store: Store
  cache: Pick<ArtifactCache, 'admit' | 'makeRoom'>
  /** The keeper of this box's one site, its stored state loaded; the same one at each call. */
  openSite(site: Adoption): Promise<StateKeeper>
  clock: Clock
  log: Log
}

const LOOK_MS = 500

/**
 * The daemon's half of `import`: takes in what an import has laid ready, at the start and while it runs. First the artifacts go into the
 * cache, then the state is applied in one write, so that the site has its old state whole or its new one whole. The order goes last: after
 * a crash all of this is done again, to the same end.
 */
export function createBundleInbox({ data, store, cache, openSite, clock, log }: BundleInboxDeps): Service {
  const files = importFiles(data)
  let endLooking: (() => void) | undefined
  let unlock: (() => void) | undefined
  let busy: Promise<void> | undefined

  const takeIn = async (order: Order): Promise<number> => {
    const standing = standingOf(store.db)
    // The import has checked all this; but it was another process, and much may have happened since.
    const checked = await checkHead(order.head, order.trust, standing)
    const { head, keys, pins } = checked
    const state = await checkState(order.state, checked, standing)
    for (const ref of artifactsOf(state)) await cache.admit(ref, files.artifact(ref.sha256))
    if (!readSite(store)) {
      await writeAdoption(store, { site: head.site, name: head.name, managerKeys: [...keys] })
      log.info('bundle.adopted', { site: head.site, name: head.name })
    }
    const states = await openSite(readSite(store) ?? { site: head.site, name: head.name, managerKeys: [...keys] })
    if (standing.site && pins) await states.pin(keys)
    const why = await states.offer(order.state)
    if (why !== undefined) throw new BundleError(why)
    return head.revision
  }

  const look = async () => {
    const room = files.room.read()
    if (room) {
      await cache.makeRoom(room.bytes).catch((error: Error) => log.warn('bundle.no_room', { bytes: room.bytes, why: error.message }))
      files.room.remove()
    }
    const order = files.order.read()
    if (!order) return
    const outcome = await takeIn(order).then(
      (revision) => ({ revision }),
      (error: unknown) => ({ why: error instanceof Error ? error.message : String(error) }),
    )
    if ('why' in outcome) log.error('bundle.refused', outcome)
    else log.info('bundle.applied', outcome)
    files.outcome.write({ id: order.id, ...outcome })
    if (files.order.read()?.id === order.id) files.order.remove()
  }
  /** One look at a time. */
  const lookAgain = () => {
    busy ??= look()
      .catch((error: unknown) => log.error('bundle.failed', { error }))
      .finally(() => {
        busy = undefined
      })
    return busy
  }

  return {
    name: 'bundle inbox',
    async start() {
      mkdirSync(files.directory, { recursive: true, mode: 0o700 })
      const site = readSite(store)
      if (site) await openSite(site)
      await lookAgain()
      unlock = takeLock(files.directory, 'appliance.lock') // tells an import that someone will answer
      endLooking = clock.every(LOOK_MS, () => void lookAgain())
    },
    async stop() {
      endLooking?.()
      await busy
      unlock?.()
      unlock = undefined
    },
  }
}
