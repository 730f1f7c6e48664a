import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Db } from '../../store/store.ts'
import { readSite } from '../membership.ts'
import { storedTrust } from '../state-keeper.ts'
import type { Standing } from './check.ts'

/** What the store says of this box. */
export function standingOf(db: Db): Standing {
  const site = readSite({ db })
  if (!site) return { keys: [] }
  return { site: { id: site.site, name: site.name }, ...storedTrust(db, site.managerKeys) }
}

export interface BoxView {
  standing: Standing
  /** Bytes of an artifact that lies whole in the cache. */
  cached(sha256: string): number | undefined
}

/** A look into the data directory from beside the daemon, which may be running or not. Nothing is written. */
export function viewBox(data: string): BoxView {
  const file = join(data, 'appliance.sqlite')
  if (!existsSync(file)) return NOBODY
  const db = new Database(file, { readonly: true })
  try {
    if (db.pragma('user_version', { simple: true }) === 0) return NOBODY // made, and then power went
    const rows = db.prepare<[], { sha256: string; bytes: number }>('SELECT sha256, bytes FROM artifacts').all()
    const cached = new Map(rows.map(({ sha256, bytes }) => [sha256, bytes]))
    return {
      standing: standingOf(db),
      cached(sha256) {
        const found = statSync(join(data, 'artifacts', sha256), { throwIfNoEntry: false })?.size
        return found !== undefined && found === cached.get(sha256) ? found : undefined
      },
    }
  } finally {
    db.close()
  }
}

const NOBODY: BoxView = { standing: { keys: [] }, cached: () => undefined }
