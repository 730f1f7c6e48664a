import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { z } from 'zod'
import type { Db, Tx } from '../engines/store/store.ts'
import { encodeConfig } from './config-text.ts'
import { COMPRESSED, type Compressed, compressBlock, type Format } from './formats.ts'
import { codeHash, type Seals } from './seal.ts'

/** What a ticket keeps sealed: its bridgehead.json as it goes into the image, raw and as frames. Base64. */
const Sealed = z.object({ img: z.base64(), ...Object.fromEntries(COMPRESSED.map((format) => [format, z.base64()])) } as Record<
  Format,
  z.ZodBase64
>)

export interface Ticket {
  id: string
  organisation: string
  image: string
  site?: string | undefined
  /** Id of the enrolment token inside. */
  token?: string | undefined
  createdAt: number
  expiresAt: number
}

/** A ticket that a request came with, and what it may have. */
export interface OpenTicket extends Ticket {
  /** False once the box enrolled, or the token was revoked or expired. */
  tokenGood: boolean
  siteName?: string | undefined
  own(format: Format): Uint8Array
}

export interface TicketDeps {
  seals: Seals
  random: (bytes: number) => Uint8Array
  newId: NewId
  clock: Clock
}

/** 192 bits: nobody finds one by trying. */
const CODE_BYTES = 24

/** The personal part of an image, ready to be sealed. Throws ConfigTextError when it is too long. Before the transaction: it takes some 20 ms. */
export async function personalBytes(config: Omit<ApplianceConfig, 'bridgehead'>): Promise<Uint8Array> {
  const block = encodeConfig(config)
  const made: Partial<Record<Format, string>> = { img: Buffer.from(block).toString('base64') }
  for (const format of COMPRESSED satisfies readonly Compressed[])
    made[format] = Buffer.from(await compressBlock(format, block)).toString('base64')
  return Buffer.from(JSON.stringify(made))
}

/** Keeps a ticket; `code` is known to whoever gets the URL, and is kept nowhere. */
export async function addTicket(
  tx: Tx,
  { seals, random, newId, clock }: TicketDeps,
  ticket: Omit<Ticket, 'id' | 'createdAt'>,
  personal: Uint8Array,
): Promise<Ticket & { code: string }> {
  const code = Buffer.from(random(CODE_BYTES)).toString('base64url')
  const made = { ...ticket, id: newId(), createdAt: clock.now() }
  await tx
    .insertInto('image_tickets')
    .values({
      id: made.id,
      organisation: made.organisation,
      site: made.site ?? null,
      token: made.token ?? null,
      image: made.image,
      code_sha256: codeHash(code),
      sealed: seals.seal(code, personal),
      created_at: made.createdAt,
      expires_at: made.expiresAt,
    })
    .execute()
  return { ...made, code }
}

/** Undefined when there is no such ticket, or no longer. */
export async function openTicket(
  db: Db,
  { seals, clock }: Pick<TicketDeps, 'seals' | 'clock'>,
  code: string,
): Promise<OpenTicket | undefined> {
  const row = await db
    .selectFrom('image_tickets')
    .leftJoin('enrolment_tokens', 'enrolment_tokens.id', 'image_tickets.token')
    .leftJoin('sites', 'sites.id', 'image_tickets.site')
    .selectAll('image_tickets')
    .select(['enrolment_tokens.expires_at as token_expires_at', 'enrolment_tokens.spent_at as token_spent_at', 'sites.name as site_name'])
    .where('code_sha256', '=', codeHash(code))
    .executeTakeFirst()
  if (!row || row.expires_at <= clock.now()) return undefined
  const sealed = Sealed.parse(JSON.parse(new TextDecoder().decode(seals.open(code, row.sealed))))
  const tokenGood = row.token === null || (row.token_spent_at === null && (row.token_expires_at ?? 0) > clock.now())
  return { ...shown(row), tokenGood, siteName: row.site_name ?? undefined, own: (format) => Buffer.from(sealed[format], 'base64') }
}

/** Of one organisation, newest first; expired ones are gone. */
export async function listTickets(db: Db, organisation: string, now: number): Promise<Ticket[]> {
  const rows = await db
    .selectFrom('image_tickets')
    .selectAll()
    .where('organisation', '=', organisation)
    .where('expires_at', '>', now)
    .orderBy('id', 'desc')
    .execute()
  return rows.map(shown)
}

/** With its token, unless a box spent that already. False when the organisation has no such ticket. */
export async function removeTicket(tx: Tx, organisation: string, id: string): Promise<boolean> {
  const row = await tx
    .deleteFrom('image_tickets')
    .where('id', '=', id)
    .where('organisation', '=', organisation)
    .returning('token')
    .executeTakeFirst()
  if (row?.token) await tx.deleteFrom('enrolment_tokens').where('id', '=', row.token).where('spent_at', 'is', null).execute()
  return row !== undefined
}

/** Erases what expired tickets kept sealed. Their tokens end by their own time. */
export async function sweepTickets(db: Db, now: number): Promise<void> {
  await db.deleteFrom('image_tickets').where('expires_at', '<=', now).execute()
}

function shown(row: {
  id: string
  organisation: string
  site: string | null
  token: string | null
  image: string
  created_at: number
  expires_at: number
}): Ticket {
  return {
    id: row.id,
    organisation: row.organisation,
    image: row.image,
    site: row.site ?? undefined,
    token: row.token ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}
