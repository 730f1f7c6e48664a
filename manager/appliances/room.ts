import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { compareVersions, Version } from '@bridgehead/shared/model/release.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { App } from '../engines/http/app.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { findBoxFacts } from '../sites/box-facts.ts'
import { downloadRoutes } from './download-routes.ts'
import { createDownloadLimits } from './downloads.ts'
import { COMPRESSED } from './formats.ts'
import { soundFrames } from './frames.ts'
import { imageRoutes } from './image-routes.ts'
import { imagesIn } from './images.ts'
import { type ApplianceJobs, enqueueFrames, type ImageBuilder } from './jobs.ts'
import { releaseRoutes } from './release-routes.ts'
import { wantedRelease } from './releases.ts'
import { rolloutRoutes } from './rollout-routes.ts'
import { createRollouts, type RolloutDeps, type Rollouts } from './rollouts.ts'
import { createSeals } from './seal.ts'
import { type TicketRouteDeps, ticketRoutes } from './ticket-routes.ts'
import { sweepTickets } from './tickets.ts'

/** What this room needs of the engines. `R`: what a builder is asked. */
export interface ImageEngines<R> {
  bucket: Bucket
  jobs: Pick<Jobs, 'enqueue' | 'status' | 'linesAfter' | 'cancel' | 'follow'>
  kinds: ApplianceJobs<R>
  /** Absent where images can only be taken in. */
  builder?: ImageBuilder<R> | undefined
  /** At least 32 secret bytes: what tickets keep is sealed with them. */
  ticketKey: Uint8Array
}

export interface ApplianceRoomDeps<R> extends Pick<TicketRouteDeps, 'dial' | 'newToken'> {
  db: Db
  engines: ImageEngines<R>
  changes: RolloutDeps['changes']
  random: (bytes: number) => Uint8Array
  newId: NewId
  clock: Clock
  log: Log
}

export interface ApplianceRoom {
  parts: readonly App[]
  rollouts: Rollouts
  services: readonly Service[]
}

const SWEEP_MS = 3_600_000

/** The manager's half of the box itself: its images, their downloads, and its updates. */
export function createApplianceRoom<R>({
  db,
  engines,
  changes,
  dial,
  newToken,
  random,
  newId,
  clock,
  log,
}: ApplianceRoomDeps<R>): ApplianceRoom {
  const { bucket, jobs, kinds, builder, ticketKey } = engines
  const images = imagesIn(bucket)
  const seals = createSeals(ticketKey)
  const rollouts = createRollouts({ db, changes, clock, log })
  const wantFrames = async (manifest: ApplianceImageManifest) => {
    const formats = Object.keys((await soundFrames(bucket, manifest))?.formats ?? {})
    if (formats.length < COMPRESSED.length) await enqueueFrames(jobs, kinds, manifest)
  }
  return {
    parts: [
      downloadRoutes({ db, bucket, images, seals, limits: createDownloadLimits({ clock }), wantFrames, clock, log }),
      imageRoutes({ bucket, images, jobs, kinds, builder, clock }),
      ticketRoutes({ db, images, dial, newToken, wantFrames, seals, random, newId, clock }),
      releaseRoutes({ db, images, newId, clock }),
      rolloutRoutes({ db, changes, settled: rollouts.settled, newId, clock, log }),
    ],
    rollouts,
    services: [rollouts, ticketKeeping(db, clock, log)],
  }
}

/** What a site's state says of its box: the release that it was told, signed now. The same input gives the same bytes (RFC 8032). */
export async function applianceState(tx: Tx, site: string, key: PrivateKey): Promise<SiteState['appliance']> {
  const { booted } = await findBoxFacts(tx, site)
  const wanted = booted?.board === undefined ? undefined : await wantedRelease(tx, site, booted.board)
  if (!wanted) return undefined
  const { release, window } = wanted
  // A card of a newer image was put in since: it would refuse to go back, and say so for ever.
  const runs = Version.safeParse(booted?.image).data
  const newer = runs !== undefined && compareVersions(runs, release.version) > 0
  if (newer && !release.manifest.rollback) return undefined
  return { release: { id: release.id, jws: await signDocument('release', release.manifest, key) }, ...(window ? { window } : {}) }
}

function ticketKeeping(db: Db, clock: Clock, log: Log): Service {
  let cancel: (() => void) | undefined
  const sweep = () => sweepTickets(db, clock.now()).catch((error: unknown) => log.error('image_tickets.not_swept', { error }))
  return {
    name: 'image tickets',
    async start() {
      await sweep()
      cancel = clock.every(SWEEP_MS, () => void sweep())
    },
    async stop() {
      cancel?.()
    },
  }
}
