import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { MaintenanceWindow } from '@bridgehead/shared/model/maintenance.ts'
import { BLOCK_BYTES, ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import { type ArtifactRef, PROTOCOL } from '@bridgehead/shared/model/state.ts'
import type { Selectable } from 'kysely'
import { notFound } from '../engines/http/problem.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** One version of the appliance's system for one board, as this manager offers it to an organisation's sites. */
export interface Release {
  id: string
  organisation: string
  image: string
  board: string
  version: string
  manifest: ReleaseManifest
  createdBy: string
  createdAt: number
}

/** What of an image goes into a release, and on which terms. Pure. */
export function releaseOf(
  image: Pick<ApplianceImageManifest, 'board' | 'version' | 'slot' | 'blocks' | 'dataSchema'>,
  terms: { floor: string; expiresAt: number; rollback: boolean },
): ReleaseManifest {
  const { board, version, slot, blocks, dataSchema } = image
  return { protocol: PROTOCOL, kind: 'release', version, boards: [board], slot, blocks, blockBytes: BLOCK_BYTES, dataSchema, ...terms }
}

export async function addRelease(tx: Tx, release: Release): Promise<void> {
  const { manifest, createdBy, createdAt, ...rest } = release
  await tx
    .insertInto('releases')
    .values({ ...rest, manifest: JSON.stringify(manifest), created_by: createdBy, created_at: createdAt })
    .execute()
}

/** Newest first. */
export async function listReleases(db: Db | Tx, organisation: string): Promise<Release[]> {
  const rows = await db.selectFrom('releases').selectAll().where('organisation', '=', organisation).orderBy('id', 'desc').execute()
  return rows.map(toRelease)
}

/** Throws `not-found`, also for another organisation's. */
export async function getRelease(db: Db | Tx, organisation: string, id: string): Promise<Release> {
  const row = await db.selectFrom('releases').selectAll().where('organisation', '=', organisation).where('id', '=', id).executeTakeFirst()
  if (!row) throw notFound('release', id)
  return toRelease(row)
}

/** The release that a site shall run by the newest rollout that told it, and the hours in which it may restart for that. */
export async function wantedRelease(
  tx: Tx,
  site: string,
  board: string,
): Promise<{ release: Release; window?: MaintenanceWindow } | undefined> {
  const row = await tx
    .selectFrom('rollout_sites')
    .innerJoin('rollouts', 'rollouts.id', 'rollout_sites.rollout')
    .innerJoin('releases', 'releases.id', 'rollouts.release')
    .selectAll('releases')
    .select('rollouts.maintenance')
    .where('rollout_sites.site', '=', site)
    .where('rollout_sites.told', '=', 1)
    .where('releases.board', '=', board)
    .orderBy('rollouts.id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return (
    row && {
      release: toRelease(row),
      ...(row.maintenance === null ? {} : { window: MaintenanceWindow.parse(JSON.parse(row.maintenance)) }),
    }
  )
}

/** What a site may fetch for the release in its state, and nothing else. `jws`: as this manager signed it. */
export function artifactsOfRelease(jws: string): ArtifactRef[] {
  const [, payload = ''] = jws.split('.')
  const { slot, blocks } = ReleaseManifest.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
  return [slot, blocks]
}

function toRelease(row: Selectable<Database['releases']>): Release {
  return {
    id: row.id,
    organisation: row.organisation,
    image: row.image,
    board: row.board,
    version: row.version,
    manifest: ReleaseManifest.parse(JSON.parse(row.manifest)),
    createdBy: row.created_by,
    createdAt: row.created_at,
  }
}
