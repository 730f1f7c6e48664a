import type { SlotName } from '@bridgehead/shared/boot/slots.ts'
import { compareVersions, type ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import type { Db } from '../store/store.ts'
import type { EndedUpdate, KnownSlot, OpenUpdate } from './decide.ts'

/** What is known of a slot's bytes, beside what `decide` needs. */
export interface SlotRecord extends KnownSlot {
  sha256: string | undefined
  bytes: number | undefined
  head: string | undefined
}

export interface RolledBack {
  release: string
  version: string
  why: string
  at: number
}

/** The updater's tables. What writes must be called inside `store.write`. */
export interface UpdateRecords {
  open(): OpenUpdate | undefined
  ended(release: string): EndedUpdate | undefined
  /** The last release that did not hold. */
  lastRollBack(): RolledBack | undefined
  /** The highest floor among committed releases. */
  floor(): string | undefined
  slot(slot: SlotName): SlotRecord | undefined
  begin(release: string, manifest: ReleaseManifest, slot: SlotName, at: number): void
  set(
    release: string,
    change: { phase: OpenUpdate['phase'] | EndedUpdate['phase']; why?: string | undefined; uplink?: boolean; boot?: string; at: number },
  ): void
  /** Forgets what is open and has not been told to the loader. */
  dropOpen(): void
  setSlot(
    slot: SlotName,
    record: { version: string | undefined; sha256: string; bytes: number; head: string | undefined; verified: number },
  ): void
  setBad(slot: SlotName, why: string): void
  dropSlot(slot: SlotName): void
}

interface ReleaseRow {
  id: string
  version: string
  floor: string
  slot: string
  phase: string
  why: string | null
  uplink: number
  boot: string | null
  at: number
}
interface SlotRow {
  version: string | null
  sha256: string | null
  bytes: number | null
  head: string | null
  verified: number
  bad: string | null
}

const OPEN = "('fetching', 'written', 'switched', 'trying')"

export function updateRecords(db: Db): UpdateRecords {
  const openRow = db.prepare<[], ReleaseRow>(`SELECT * FROM releases WHERE phase IN ${OPEN} ORDER BY at DESC LIMIT 1`)
  const endedRow = db.prepare<[string], ReleaseRow>("SELECT * FROM releases WHERE id = ? AND phase IN ('committed', 'rolled-back')")
  const rolledBack = db.prepare<[], ReleaseRow>("SELECT * FROM releases WHERE phase = 'rolled-back' ORDER BY at DESC LIMIT 1")
  const floors = db.prepare<[], { floor: string }>("SELECT floor FROM releases WHERE phase = 'committed'")
  const slotRow = db.prepare<[string], SlotRow>('SELECT * FROM slots WHERE slot = ?')
  const dropOpen = db.prepare(`DELETE FROM releases WHERE phase IN ${OPEN}`)
  const insert = db.prepare(
    `INSERT OR REPLACE INTO releases (id, version, floor, sha256, slot, phase, at) VALUES (?, ?, ?, ?, ?, 'fetching', ?)`,
  )
  const update = db.prepare(
    'UPDATE releases SET phase = ?, why = ?, uplink = coalesce(?, uplink), boot = coalesce(?, boot), at = ? WHERE id = ?',
  )
  const putSlot = db.prepare('INSERT OR REPLACE INTO slots (slot, version, sha256, bytes, head, verified) VALUES (?, ?, ?, ?, ?, ?)')
  const putBad = db.prepare('INSERT INTO slots (slot, bad) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET bad = excluded.bad')
  const dropSlot = db.prepare('DELETE FROM slots WHERE slot = ?')
  return {
    open() {
      const row = openRow.get()
      if (!row) return undefined
      const { id, version, uplink, boot, why } = row
      return {
        release: id,
        version,
        slot: row.slot === 'A' ? 'A' : 'B',
        phase: phaseOf(row.phase),
        uplink: uplink === 1,
        boot: boot ?? undefined,
        why: why ?? undefined,
      }
    },
    ended(release) {
      const row = endedRow.get(release)
      return row && { phase: row.phase === 'committed' ? 'committed' : 'rolled-back', why: row.why ?? undefined }
    },
    lastRollBack() {
      const row = rolledBack.get()
      return row && { release: row.id, version: row.version, why: row.why ?? 'unknown', at: row.at }
    },
    floor: () =>
      floors
        .all()
        .map((row) => row.floor)
        .sort(compareVersions)
        .at(-1),
    slot(slot) {
      const row = slotRow.get(slot)
      return (
        row && {
          version: row.version ?? undefined,
          sha256: row.sha256 ?? undefined,
          bytes: row.bytes ?? undefined,
          head: row.head ?? undefined,
          verified: row.verified,
          bad: row.bad ?? undefined,
        }
      )
    },
    begin(release, { version, floor, slot: { sha256 } }, slot, at) {
      dropOpen.run()
      insert.run(release, version, floor, sha256, slot, at)
    },
    set: (release, { phase, why, uplink, boot, at }) =>
      void update.run(phase, why ?? null, uplink === undefined ? null : Number(uplink), boot ?? null, at, release),
    dropOpen: () => void dropOpen.run(),
    setSlot: (slot, { version, sha256, bytes, head, verified }) =>
      void putSlot.run(slot, version ?? null, sha256, bytes, head ?? null, verified),
    setBad: (slot, why) => void putBad.run(slot, why),
    dropSlot: (slot) => void dropSlot.run(slot),
  }
}

function phaseOf(text: string): OpenUpdate['phase'] {
  return text === 'written' || text === 'switched' || text === 'trying' ? text : 'fetching'
}
