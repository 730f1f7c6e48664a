import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { Tx } from '../engines/store/store.ts'
import { keepBooted } from './box-facts.ts'

interface Fact<D> {
  organisation: string
  site: string
  at: number
  data: D
}

/** The appliance (re)started; a new SSH key goes into the state, so that hosts authorise it. */
export async function onApplianceStarted(tx: Tx, fact: Fact<EventData<'appliance.started'>>): Promise<boolean> {
  const { site, data } = fact
  const otherBoard = await keepBooted(tx, fact)
  const row = await tx.selectFrom('appliances').select('ssh_public_key').where('site', '=', site).executeTakeFirst()
  await tx.updateTable('appliances').set({ version: data.version, ssh_public_key: data.sshPublicKey }).where('site', '=', site).execute()
  return otherBoard || (row !== undefined && row.ssh_public_key !== data.sshPublicKey)
}

export async function onStateApplied(tx: Tx, { site, at, data }: Fact<EventData<'state.applied'>>): Promise<boolean> {
  await tx
    .updateTable('appliances')
    .set({ applied_revision: data.revision, applied_at: at, refused: null })
    .where('site', '=', site)
    .where((eb) => eb.or([eb('applied_revision', 'is', null), eb('applied_revision', '<=', data.revision)]))
    .execute()
  return false
}

export async function onStateRefused(tx: Tx, { site, at, data }: Fact<EventData<'state.refused'>>): Promise<boolean> {
  const refused = { ...(data.revision === undefined ? {} : { revision: data.revision }), why: data.why, at }
  await tx
    .updateTable('appliances')
    .set({ refused: JSON.stringify(refused) })
    .where('site', '=', site)
    .execute()
  return false
}
