import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import type { HostSurroundings } from './hosts.ts'

/** Tells whoever compiles site states that one of them may have changed. */
export interface StateChanges {
  /** Inside the transaction of the change. Without `site`: every site of the organisation. */
  mark(tx: Tx, organisation: string, site?: string): Promise<void>
  /** After the transaction. */
  kick(): void
}

export interface RegistryDeps {
  db: Db
  around: HostSurroundings
  changes: StateChanges
  newId: NewId
  clock: Clock
}
