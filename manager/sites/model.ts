import { ApplianceData, ApplianceStarted, ApplianceUpdate, SlotRepaired } from '@bridgehead/shared/model/event.ts'
import { checkLans, DnsRecord, Lan, NewLan, SiteState } from '@bridgehead/shared/model/state.ts'
import { Tags } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'

const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a site name of lower-case letters, digits and dashes')
const unknown = SiteState.shape.unknown.unwrap()
const dns = z.strictObject({
  zone: z
    .string()
    .regex(/^([a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/, 'expected a domain name such as site1.internal')
    .default('internal'),
  forwarders: z
    .array(z.union([z.ipv4(), z.ipv6()], { error: 'expected an IP address' }))
    .max(8)
    .default([]),
  records: z.array(z.strictObject(DnsRecord.shape)).max(10_000).default([]),
})
const lans = z.array(NewLan).max(64).superRefine(checkLans)

export const NewSite = z.strictObject({
  name,
  tags: Tags.default({}),
  lans: lans.default([]),
  /** What a machine that nobody registered is told. */
  unknown: unknown.default('local-disk'),
  dns: dns.prefault({}),
})
export type NewSite = z.output<typeof NewSite>

/** What is left out stays; lists and maps are replaced whole. */
export const SitePatch = z.strictObject({
  revision: z.int().positive().optional(),
  name: name.optional(),
  tags: Tags.optional(),
  lans: lans.optional(),
  unknown: unknown.optional(),
  dns: dns.optional(),
})
export type SitePatch = z.output<typeof SitePatch>

/** Present while the appliance is in touch: it renews the sign every 10 s. `revision` is the state it has applied, `outbox` facts still to be sent. */
export const Online = z.object({
  at: z.int(),
  version: z.string(),
  revision: z.int(),
  outbox: z.int(),
  /** Of the box's self-tests: by service `ok`, or what is wrong. Absent: its software makes none. */
  health: z.object({ ok: z.boolean(), services: z.record(z.string(), z.string()) }).optional(),
})

export const Site = z.object({
  id: z.string(),
  name: z.string(),
  tags: z.record(z.string(), z.string()),
  lans: z.array(Lan),
  unknown,
  dns: SiteState.shape.dns,
  /** Of the site's settings; send it back with a change to be sure that nobody else changed it meanwhile. */
  revision: z.int(),
  createdAt: z.int(),
  updatedAt: z.int(),
  /** The compiled state. 0: none yet. */
  stateRevision: z.int(),
  online: Online.optional(),
  appliance: z
    .object({
      enrolledAt: z.int(),
      version: z.string(),
      hardware: z.object({ serial: z.string().optional(), model: z.string().optional(), macs: z.array(z.string()) }),
      overlayAddress: z.string().optional(),
      appliedRevision: z.int().optional(),
      appliedAt: z.int().optional(),
      refused: z.object({ revision: z.int().optional(), why: z.string(), at: z.int() }).optional(),
      sshPublicKey: z.string().optional(),
      /** What a flashed box said it really booted at its last start, how it found things, and what it said of its data partition since. */
      booted: ApplianceStarted.omit({ sshPublicKey: true })
        .extend({ at: z.int(), data: ApplianceData.extend({ at: z.int() }).optional() })
        .optional(),
      /** How far its last update is. */
      update: ApplianceUpdate.extend({ at: z.int() }).optional(),
      /** When it last made its other slot whole, and why that was needed. */
      repaired: SlotRepaired.extend({ at: z.int() }).optional(),
    })
    .optional(),
})
export type Site = z.infer<typeof Site>

export const NewToken = z.strictObject({
  /** One minute to 30 days; a day unless told. */
  expiresInSeconds: z.int().min(60).max(2_592_000).default(86_400),
})
export const ApplianceFile = z.object({ manager: z.string(), fingerprint: z.string().optional(), token: z.string() })
export const Token = z.object({ id: z.string(), createdAt: z.int(), expiresAt: z.int(), spentAt: z.int().optional() })
export const PendingBox = z.object({
  id: z.string(),
  code: z.string(),
  hardware: z.object({ serial: z.string().optional(), model: z.string().optional(), macs: z.array(z.string()) }),
  version: z.string(),
  firstSeen: z.int(),
  lastSeen: z.int(),
})
export const NewClaim = z.strictObject({
  /** As the box's screen shows it, such as K7QF-2M9D; dashes, blanks and case do not matter. */
  code: z
    .string()
    .max(32)
    .regex(/^[\s-]*([0-9A-Za-z][\s-]*){8}$/, 'expected the eight letters and digits that the box shows, such as K7QF-2M9D'),
})
