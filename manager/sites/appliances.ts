import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { EnrolAnswer, EnrolPending, EnrolRequest, RestoredLease } from '@bridgehead/shared/model/enrolment.ts'
import { type PublicKey, SignatureError, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { notFound, Problem } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { bindBox, boundBox, keepWaiting, keyOf } from './binding.ts'
import { claimOf, takeClaim } from './claims.ts'
import { type BoundBox, type BoxKeys, boxKeys, decideEnrolment, pendingCode } from './enrolment.ts'
import { findSiteById, type SiteRow } from './records.ts'
import { restoredLeases } from './restore-leases.ts'

/** Where an enrolled box finds everything; `main` fills it from the engines. */
export interface ApplianceWorld {
  managerKeys: readonly PublicKey[]
  /** Absent when the manager runs without an overlay. */
  overlay?:
    | {
        publicKey(): Promise<string>
        endpoint: string
        hubAddress: string
        /** Network and address (with prefix length) of a site. */
        siteNetwork(subnet: number): { network: string; cidr: string }
        setPeers(peers: { publicKey: string; allowedIps: string[] }[]): Promise<void>
      }
    | undefined
  redis: { host: string; port: number }
  /** Base URL of artifact downloads. */
  artifacts: string
  /** Creates or replaces the site's Redis user. */
  setSiteUser(site: string, secretSha256: string): Promise<void>
  deleteSiteUser(site: string): Promise<void>
}

export interface ApplianceDeps {
  db: Db
  world: ApplianceWorld
  random: (bytes: number) => Uint8Array
  newId: NewId
  clock: Clock
  log: Log
}

export interface Appliances {
  newToken(tx: Tx, site: SiteRow, expiresInSeconds: number): Promise<{ id: string; token: string; expiresAt: number }>
  /** `raw`: the request as it came, which the proof signs. Throws Problem. */
  enrol(request: EnrolRequest, raw: unknown): Promise<EnrolAnswer | EnrolPending>
  /** Binds the site to the waiting box, in place of its present one. */
  approve(site: SiteRow, pending: string): Promise<void>
  /** Binds the site to the box that shows this code, in place of its present one. Throws `not-found`. */
  claim(site: SiteRow, code: string): Promise<void>
  /** Redis users and overlay peers as the database has them: at start, and after Redis was lost. */
  restore(): Promise<void>
  restorePeers(): Promise<void>
}

export function createAppliances({ db, world, random, newId, clock, log }: ApplianceDeps): Appliances {
  const restorePeers = async () => {
    if (!world.overlay) return
    const rows = await db
      .selectFrom('appliances')
      .innerJoin('sites', 'sites.id', 'appliances.site')
      .select(['appliances.wireguard_key as publicKey', 'sites.subnet as subnet'])
      .execute()
    const { overlay } = world
    await overlay.setPeers(rows.map(({ publicKey, subnet }) => ({ publicKey, allowedIps: [overlay.siteNetwork(subnet).network] })))
  }

  /** The binding is on disk; a box that gets an error here asks again and is answered the same. */
  const admit = async (site: string, secretSha256: string) => {
    try {
      await world.setSiteUser(site, secretSha256)
      await restorePeers()
    } catch (cause) {
      log.error('enrolment.not_admitted', { site, error: cause })
      throw new Problem('unavailable', 'the manager cannot let the appliance in right now; ask again', { cause })
    }
  }

  const bind = (tx: Tx, site: SiteRow, box: BoundBox, secretSha256: string) => bindBox(tx, site, box, { secretSha256, now: clock.now() })

  /** Leases go to a box that has not shown yet that it took them in: later its own book is the newer one. */
  const leasesFor = async (site: SiteRow) => {
    const box = await db.selectFrom('appliances').select('applied_revision').where('site', '=', site.id).executeTakeFirst()
    return box?.applied_revision === null ? restoredLeases(db, site, clock.now()) : []
  }

  const answer = async (site: SiteRow, secret: string, leases: RestoredLease[]): Promise<EnrolAnswer> => ({
    protocol: PROTOCOL,
    site: site.id,
    name: site.name,
    managerKeys: world.managerKeys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x })),
    ...(world.overlay
      ? {
          overlay: {
            address: world.overlay.siteNetwork(site.subnet).cidr,
            hubKey: await world.overlay.publicKey(),
            hubEndpoint: world.overlay.endpoint,
            hubAddress: world.overlay.hubAddress,
            keepaliveSeconds: 25,
          },
        }
      : {}),
    redis: { ...world.redis, username: `site-${site.id}` },
    artifacts: world.artifacts,
    secret,
    ...(leases.length > 0 ? { leases } : {}),
  })

  /** It gets its own secret when it asks again; until then nobody has one. */
  const bindUnasked = (tx: Tx, site: SiteRow, box: BoundBox) => bind(tx, site, box, sha256(Buffer.from(random(32)).toString('hex')))
  const lockOut = async (site: SiteRow) => {
    await world.deleteSiteUser(site.id) // ends the old box's connections
    await restorePeers()
  }

  /** A box without a token: known by its keys, or it shows a code. */
  const enrolKnown = async (tx: Tx, request: EnrolRequest, box: BoxKeys, secretSha256: string) => {
    const row = await tx
      .selectFrom('appliances')
      .select(['site', 'signing_key'])
      .where('wireguard_key', '=', box.wireguardKey)
      .executeTakeFirst()
    const site = row && keyOf(row.signing_key) === box.signingKey ? await findSiteById(tx, row.site) : undefined
    if (!site) return { pending: { pending: true as const, ...(await claimOf(tx, request, { random, now: clock.now() })) } }
    await bind(tx, site, request, secretSha256)
    return { site, decision: 'repeat' as const }
  }

  return {
    async newToken(tx, site, expiresInSeconds) {
      const token = `bhe_${Buffer.from(random(24)).toString('base64url')}`
      const id = newId()
      const now = clock.now()
      const expiresAt = now + expiresInSeconds * 1000
      await tx
        .insertInto('enrolment_tokens')
        .values({
          id,
          organisation: site.organisation,
          site: site.id,
          sha256: sha256(token),
          created_at: now,
          expires_at: expiresAt,
          spent_at: null,
          wireguard_key: null,
          signing_key: null,
        })
        .execute()
      return { id, token, expiresAt }
    },

    async enrol(request, raw) {
      await checkProof(request, raw)
      const box = boxKeys(request)
      const secret = Buffer.from(random(32)).toString('base64url')
      const done = await db.transaction().execute(async (tx) => {
        const { token } = request
        if (token === undefined) return enrolKnown(tx, request, box, sha256(secret))
        const row = await tx.selectFrom('enrolment_tokens').selectAll().where('sha256', '=', sha256(token)).executeTakeFirst()
        const site = row && (await findSiteById(tx, row.site))
        const bound = site && (await boundBox(tx, site.id))
        const spentBy = row?.wireguard_key && row.signing_key ? { wireguardKey: row.wireguard_key, signingKey: row.signing_key } : undefined
        const decision = decideEnrolment(row && site ? { expiresAt: row.expires_at, spentBy } : undefined, bound, box, clock.now())
        if (decision.kind === 'refuse') throw new Problem(decision.code, decision.why)
        if (!row || !site) throw new Error('a token without a row was accepted')
        if (decision.kind === 'pending') {
          const code = pendingCode(box)
          await keepWaiting(tx, site, request, { id: newId(), token: row.id, code, now: clock.now() })
          log.warn('enrolment.pending', { site: site.id, code })
          return { pending: { pending: true as const, code } }
        }
        await tx
          .updateTable('enrolment_tokens')
          .set({ spent_at: row.spent_at ?? clock.now(), wireguard_key: box.wireguardKey, signing_key: box.signingKey })
          .where('id', '=', row.id)
          .execute()
        await bind(tx, site, request, sha256(secret))
        return { site, decision: decision.kind }
      })
      if ('pending' in done) return done.pending
      await admit(done.site.id, sha256(secret))
      log.info('enrolment.done', { site: done.site.id, decision: done.decision, model: request.hardware.model })
      const leases = await leasesFor(done.site)
      if (leases.length > 0) log.info('enrolment.leases_restored', { site: done.site.id, leases: leases.length })
      return answer(done.site, secret, leases)
    },

    async approve(site, pending) {
      await db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('pending_boxes')
          .selectAll()
          .where('id', '=', pending)
          .where('site', '=', site.id)
          .executeTakeFirst()
        if (!row) throw notFound('waiting box', pending)
        const signingKey = JSON.parse(row.signing_key) as EnrolRequest['signingKey']
        const box = { wireguardKey: row.wireguard_key, signingKey, hardware: JSON.parse(row.hardware), version: row.version } as BoundBox
        await bindUnasked(tx, site, box)
        await tx
          .updateTable('enrolment_tokens')
          .set({ wireguard_key: row.wireguard_key, signing_key: signingKey.x })
          .where('id', '=', row.token)
          .execute()
      })
      await lockOut(site)
      log.info('enrolment.approved', { site: site.id, box: pending })
    },

    async claim(site, code) {
      await db.transaction().execute(async (tx) => {
        const box = await takeClaim(tx, code, clock.now())
        if (!box)
          throw new Problem('not-found', `no box shows the code "${code}" now; codes live ten minutes: look at the box's screen again`)
        await bindUnasked(tx, site, box)
      })
      await lockOut(site)
      log.info('enrolment.claimed', { site: site.id })
    },

    async restore() {
      const rows = await db.selectFrom('appliances').select(['site', 'secret_sha256']).execute()
      for (const row of rows) await world.setSiteUser(row.site, row.secret_sha256)
    },
    restorePeers,
  }
}

/** The sender owns the signing key, and the proof is of this very request. */
async function checkProof(request: EnrolRequest, raw: unknown): Promise<void> {
  if (request.protocol > PROTOCOL || request.protocol < PROTOCOL - 2)
    throw new Problem(
      'protocol-unsupported',
      `this manager speaks protocol ${PROTOCOL} and the two before it; the appliance speaks ${request.protocol}`,
    )
  const { proof, ...rest } = raw as Record<string, unknown>
  const signed = await verifyDocument('enrolment', String(proof), [request.signingKey]).catch((cause: unknown) => {
    throw new Problem('proof-invalid', cause instanceof SignatureError ? cause.message : 'the proof is not a signed document', { cause })
  })
  if (!isDeepStrictEqual(signed, rest)) throw new Problem('proof-invalid', 'the proof was made for another request')
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
