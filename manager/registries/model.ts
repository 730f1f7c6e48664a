import { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { HostFacts } from '@bridgehead/shared/model/event.ts'
import { AuthorizedKey, HostSpec, HostStatus, IntentKind, RuleMatch } from '@bridgehead/shared/model/state.ts'
import { Selector, Tags } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'

const { name, uuid, serial } = HostSpec.shape
const macs = z.array(Mac).min(1, 'expected at least one MAC address').max(32)
/** Id or name of a profile, site or script. */
const Reference = z.string().min(1).max(100)

export const NewHost = z.strictObject({
  site: Reference,
  name,
  macs,
  uuid,
  serial,
  tags: Tags.default({}),
  approved: z.boolean().default(true),
  ip: Ipv4.optional(),
  profile: Reference.optional(),
})
export type NewHost = z.output<typeof NewHost>

/** What is left out stays; `null` takes away. */
export const HostPatch = z.strictObject({
  revision: z.int().positive().optional(),
  name: name.optional(),
  macs: macs.optional(),
  tags: Tags.optional(),
  approved: z.boolean().optional(),
  retired: z.boolean().optional(),
  ip: Ipv4.nullable().optional(),
  profile: Reference.nullable().optional(),
})
export type HostPatch = z.output<typeof HostPatch>

export const NewIntent = z.strictObject({ kind: IntentKind, profile: Reference.optional() })

/** A wish, and how far the site is with it. */
export const HostIntent = z.object({
  id: z.string(),
  kind: IntentKind,
  profile: z.string().optional(),
  at: z.int(),
  state: z.enum(['pending', 'started', 'failed']),
  attempts: z.int(),
  why: z.string().optional(),
})
export type HostIntent = z.infer<typeof HostIntent>

export const Host = z.object({
  id: z.string(),
  site: z.string(),
  siteName: z.string(),
  name: z.string(),
  macs: z.array(z.string()),
  uuid: z.string().optional(),
  serial: z.string().optional(),
  tags: z.record(z.string(), z.string()),
  /** With the site's tags and `site`; what selectors see. */
  effectiveTags: z.record(z.string(), z.string()),
  facts: HostFacts.partial().loose(),
  approved: z.boolean(),
  retired: z.boolean(),
  status: HostStatus,
  why: z.string().optional(),
  ip: z.string().optional(),
  /** Where the site reached it last. */
  address: z.string().optional(),
  lan: z.string().optional(),
  profile: z.string().optional(),
  rule: z.string().optional(),
  intent: HostIntent.optional(),
  hostKeys: z.array(z.string()),
  revision: z.int(),
  firstSeen: z.int(),
  lastSeen: z.int().optional(),
})
export type Host = z.infer<typeof Host>

export const NewRule = z.strictObject({
  name: z.string().min(1).max(100),
  order: z.int().min(0).max(1_000_000).default(100),
  /** The sites that use it; empty: all. */
  sites: Selector.default(''),
  match: z.strictObject(RuleMatch.shape).default({}),
  tags: Tags.default({}),
  profile: Reference.optional(),
})
export type NewRule = z.output<typeof NewRule>
export const Rule = NewRule.extend({ id: z.string() })
export type Rule = z.output<typeof Rule>

export const NewKey = z.strictObject({
  name: z.string().min(1).max(100),
  publicKey: AuthorizedKey.shape.publicKey.max(16_384).refine(isPublicKey, 'the base64 part does not hold a key of the type before it'),
  /** The sites whose hosts get it; empty: all. */
  sites: Selector.default(''),
})
export type NewKey = z.output<typeof NewKey>
export const Key = z.object({ id: z.string(), name: z.string(), publicKey: z.string(), sites: z.string(), createdAt: z.int() })
export type Key = z.infer<typeof Key>

/** RFC 4253 §6.6: the blob begins with its type again, as a string with a 32-bit length. */
function isPublicKey(line: string): boolean {
  const [type = '', blob = ''] = line.split(' ')
  const bytes = Uint8Array.from(atob(/^[A-Za-z0-9+/]+={0,2}$/.test(blob) && blob.length % 4 === 0 ? blob : ''), (char) =>
    char.charCodeAt(0),
  )
  if (bytes.length < 4 + type.length + 4) return false
  const length = new DataView(bytes.buffer).getUint32(0)
  return length === type.length && new TextDecoder().decode(bytes.subarray(4, 4 + length)) === type
}
