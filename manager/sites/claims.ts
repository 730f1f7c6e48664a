import type { EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { Problem } from '../engines/http/problem.ts'
import type { Tx } from '../engines/store/store.ts'
import { type BoundBox, CODE_ALPHABET } from './enrolment.ts'

/** A person goes from the box's screen to the manager's; whoever takes longer finds a new code on the screen. */
export const CLAIM_MS = 10 * 60_000
/** Anybody can make a key pair and ask: so many claims live at once, and no more. */
const MAX_CLAIMS = 10_000
/** 32 letters at eight places: 40 bits, more than ten wrong tries a minute find in ten minutes. */
const CODE_LETTERS = 8

/** The code that a box without a token shows; the same as long as it lives. */
export async function claimOf(
  tx: Tx,
  box: BoundBox,
  { random, now }: { random: (bytes: number) => Uint8Array; now: number },
): Promise<{ code: string; expiresAt: number }> {
  await tx.deleteFrom('claims').where('expires_at', '<=', now).execute()
  const signing = JSON.stringify(box.signingKey)
  const row = await tx.selectFrom('claims').selectAll().where('wireguard_key', '=', box.wireguardKey).executeTakeFirst()
  if (row?.signing_key === signing) return { code: row.code, expiresAt: row.expires_at }
  // The WireGuard key is public: whoever has only that one must not take the code from the box's screen.
  if (row) throw new Problem('too-many-requests', 'another box asks with this WireGuard key; ask again in ten minutes')
  const { count } = await tx
    .selectFrom('claims')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  if (count >= MAX_CLAIMS)
    throw new Problem('too-many-requests', 'too many boxes wait to be claimed; ask again later', { headers: { 'retry-after': '60' } })
  const code = newCode(random)
  const expiresAt = now + CLAIM_MS
  const keys = { wireguard_key: box.wireguardKey, signing_key: signing }
  const seen = { hardware: JSON.stringify(box.hardware), version: box.version }
  await tx
    .insertInto('claims')
    .values({ code, ...keys, ...seen, created_at: now, expires_at: expiresAt })
    .execute()
  return { code, expiresAt }
}

/** The box that shows this code, which is spent by that. Dashes, blanks and case do not matter. */
export async function takeClaim(tx: Tx, code: string, now: number): Promise<BoundBox | undefined> {
  const row = await tx
    .deleteFrom('claims')
    .where('code', '=', formatCode(code.toUpperCase().replaceAll(/[\s-]/g, '')))
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst()
  return (
    row && {
      wireguardKey: row.wireguard_key,
      signingKey: JSON.parse(row.signing_key) as EnrolRequest['signingKey'],
      hardware: JSON.parse(row.hardware) as EnrolRequest['hardware'],
      version: row.version,
    }
  )
}

/** Every letter equally likely, since 256 is a multiple of 32. */
function newCode(random: (bytes: number) => Uint8Array): string {
  return formatCode([...random(CODE_LETTERS)].map((byte) => CODE_ALPHABET[byte % CODE_ALPHABET.length]).join(''))
}

function formatCode(letters: string): string {
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}
