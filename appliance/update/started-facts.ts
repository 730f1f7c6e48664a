import { readFileSync } from 'node:fs'
import { decodeGrubEnv, marksOf } from '@bridgehead/shared/boot/slots.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import { WireError } from '@bridgehead/shared/wire/errors.ts'
import type { Db } from '../store/store.ts'
import type { BootInfo } from '../system/boot-info.ts'
import { updateRecords } from './records.ts'

/** What a flashed box says of itself in `appliance.started`: what was booted, never what was meant to be. Ask before the updater starts. */
export function startedFacts(db: Db, boot: BootInfo): Omit<EventData<'appliance.started'>, 'version' | 'sshPublicKey'> {
  const rollback = updateRecords(db).lastRollBack()
  const tries = triesOf(boot)
  return {
    slot: boot.slot,
    board: boot.board,
    image: boot.version,
    dataState: boot.data.state,
    ...(boot.tried.length === 0 ? {} : { skipped: boot.tried }),
    ...(rollback === undefined ? {} : { rollback }),
    ...(tries === undefined ? {} : { tries }),
  }
}

function triesOf(boot: BootInfo): number | undefined {
  try {
    return marksOf(decodeGrubEnv(readFileSync(boot.env.path)))[boot.slot].tries
  } catch (error) {
    if (error instanceof WireError || (error instanceof Error && 'syscall' in error)) return undefined // the updater says so, and mends it
    throw error
  }
}
