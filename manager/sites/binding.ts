import type { EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import type { Tx } from '../engines/store/store.ts'
import type { BoundBox, BoxKeys } from './enrolment.ts'

/** A site waits for at most so many boxes; the one seen longest ago makes room. */
const MAX_PENDING = 16

/** The site is this box's from now on. What another one was, and said of itself, is forgotten. */
export async function bindBox(
  tx: Tx,
  site: { id: string; organisation: string },
  box: BoundBox,
  { secretSha256, now }: { secretSha256: string; now: number },
): Promise<void> {
  // A box that moves brings its keys along; two sites with one WireGuard key would take each other's packets.
  const left = await tx
    .selectFrom('appliances')
    .select('site')
    .where('wireguard_key', '=', box.wireguardKey)
    .where('site', '!=', site.id)
    .execute()
  for (const other of left) await unbind(tx, other.site)
  await tx.deleteFrom('claims').where('wireguard_key', '=', box.wireguardKey).execute()
  const values = {
    organisation: site.organisation,
    wireguard_key: box.wireguardKey,
    signing_key: JSON.stringify(box.signingKey),
    secret_sha256: secretSha256,
    hardware: JSON.stringify(box.hardware),
    version: box.version,
  }
  const fresh = { enrolled_at: now, applied_revision: null, applied_at: null, refused: null, ssh_public_key: null }
  const old = await tx.selectFrom('appliances').select(['wireguard_key']).where('site', '=', site.id).executeTakeFirst()
  if (old?.wireguard_key === box.wireguardKey) await tx.updateTable('appliances').set(values).where('site', '=', site.id).execute()
  else {
    await unbind(tx, site.id)
    await tx
      .insertInto('appliances')
      .values({ site: site.id, ...values, ...fresh })
      .execute()
  }
  await tx.deleteFrom('pending_boxes').where('site', '=', site.id).where('wireguard_key', '=', box.wireguardKey).execute()
}

/** A box that came with a spent token is shown to a person. */
export async function keepWaiting(
  tx: Tx,
  site: { id: string; organisation: string },
  box: BoundBox,
  { id, token, code, now }: { id: string; token: string; code: string; now: number },
): Promise<void> {
  const signing_key = JSON.stringify(box.signingKey)
  const seen = { token, code, signing_key, hardware: JSON.stringify(box.hardware), version: box.version, last_seen: now }
  await tx
    .insertInto('pending_boxes')
    .values({ id, organisation: site.organisation, site: site.id, wireguard_key: box.wireguardKey, first_seen: now, ...seen })
    .onConflict((on) => on.columns(['site', 'wireguard_key']).doUpdateSet(seen))
    .execute()
  const rows = await tx.selectFrom('pending_boxes').select('id').where('site', '=', site.id).orderBy('last_seen', 'desc').execute()
  const surplus = rows.slice(MAX_PENDING).map((row) => row.id)
  if (surplus.length > 0) await tx.deleteFrom('pending_boxes').where('id', 'in', surplus).execute()
}

export async function boundBox(tx: Tx, site: string): Promise<BoxKeys | undefined> {
  const row = await tx.selectFrom('appliances').select(['wireguard_key', 'signing_key']).where('site', '=', site).executeTakeFirst()
  return row && { wireguardKey: row.wireguard_key, signingKey: keyOf(row.signing_key) }
}

/** The `x` of a key as it is stored. */
export function keyOf(signingKey: string): string {
  return (JSON.parse(signingKey) as EnrolRequest['signingKey']).x
}

async function unbind(tx: Tx, site: string): Promise<void> {
  await tx.deleteFrom('appliances').where('site', '=', site).execute()
  await tx.deleteFrom('appliance_facts').where('site', '=', site).execute()
}
