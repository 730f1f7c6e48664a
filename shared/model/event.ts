import { z } from 'zod'
import { Ipv4, Mac } from './address.ts'
import { HostStatus, IntentKind, Platform } from './state.ts'

/** What a site learned about a machine; every field may be missing. */
export const HostFacts = z.object({
  macs: z.array(Mac).default([]),
  uuid: z.string().optional(),
  serial: z.string().optional(),
  vendor: z.string().optional(),
  product: z.string().optional(),
  platform: Platform.optional(),
})
export type HostFacts = z.infer<typeof HostFacts>

/** Stages of one boot, in the order in which they usually come. */
export const BootStage = z.enum([
  'discover',
  'offer',
  'request',
  'ack',
  'loader',
  'script',
  'kernel',
  'initrd',
  'installer',
  'answers',
  'image',
  'configure',
  'installed',
  'reboot',
  'phone-home',
  'login',
  'failed',
])
export type BootStage = z.infer<typeof BootStage>

const SlotLetter = z.enum(['A', 'B'])

/** The life of a release on one box, in order; the last three end it. `waiting` is for the maintenance window. */
export const UpdatePhase = z.enum(['fetching', 'written', 'waiting', 'switched', 'trying', 'committed', 'rolled-back', 'refused'])
export type UpdatePhase = z.infer<typeof UpdatePhase>

const kinds = {
  'host.discovered': z.object({ facts: HostFacts, lan: z.string().optional() }),
  'host.facts': z.object({ facts: HostFacts }),
  'host.approved': z.object({
    rule: z.string(),
    tags: z.record(z.string(), z.string()),
    profile: z.string().optional(),
    name: z.string(),
    intent: z.string().optional(),
  }),
  'host.status': z.object({ status: HostStatus, why: z.string().optional() }),
  'host.phone-home': z.object({ ip: Ipv4, hostKeys: z.array(z.string()) }),
  'intent.started': z.object({ intent: z.string(), kind: IntentKind, profile: z.string().optional(), attempt: z.int() }),
  'intent.done': z.object({ intent: z.string(), kind: IntentKind }),
  'intent.failed': z.object({ intent: z.string(), kind: IntentKind, why: z.string() }),
  /** `bytes` and `ms` when the stage moved data; `reasons` when something was decided. */
  'boot.stage': z.object({
    boot: z.string(),
    stage: BootStage,
    bytes: z.int().optional(),
    total: z.int().optional(),
    ms: z.number().optional(),
    detail: z.string().optional(),
    reasons: z.array(z.string()).optional(),
  }),
  'dhcp.lease': z.object({ mac: Mac, ip: Ipv4, lan: z.string(), until: z.int(), hostname: z.string().optional() }),
  'dhcp.release': z.object({ mac: Mac, ip: Ipv4, lan: z.string(), why: z.enum(['released', 'declined', 'expired']) }),
  'dhcp.foreign-server': z.object({ lan: z.string(), server: Ipv4, blocked: z.boolean() }),
  'dhcp.pool-full': z.object({ lan: z.string(), mac: Mac }),
  'state.applied': z.object({ revision: z.int() }),
  'state.refused': z.object({ revision: z.int().optional(), why: z.string() }),
  'artifact.ready': z.object({ sha256: z.string(), name: z.string(), bytes: z.int(), ms: z.number() }),
  'artifact.refused': z.object({ sha256: z.string(), name: z.string(), why: z.string() }),
  'script.render-failed': z.object({ script: z.string(), why: z.string() }),
  'command.refused': z.object({ command: z.string(), why: z.string() }),
  'run.started': z.object({ run: z.string(), ip: Ipv4 }),
  'run.output': z.object({ run: z.string(), seq: z.int(), stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  'run.finished': z.object({ run: z.string(), exitCode: z.int().nullable(), ms: z.number(), error: z.string().optional() }),
  /** The site's general SSH public key (made on the appliance), and the software's version. The rest is told by a flashed box. */
  'appliance.started': z.object({
    version: z.string(),
    sshPublicKey: z.string(),
    /** What was really booted, never what was meant to be: slot, board, and the version that lies in that slot. */
    slot: SlotLetter.optional(),
    board: z.string().optional(),
    image: z.string().optional(),
    /** The last release that did not hold, and why. */
    rollback: z.object({ release: z.string(), version: z.string(), why: z.string(), at: z.int() }).optional(),
    /** The data partition: kept on disk, lost at power-off, or not to be written. */
    dataState: z.enum(['ok', 'memory', 'read-only']).optional(),
    /** Slots that the loader passed over this time, because they did not come up or cannot be read. */
    skipped: z.array(SlotLetter).optional(),
    /** So often this slot was started since it was last marked good, this time included. */
    tries: z.int().optional(),
  }),
  /** The data partition, whenever it changes: `full`: all works, but soon nothing new can be kept; `memory`: what happens now is lost at power-off. */
  'appliance.data': z.object({
    state: z.enum(['ok', 'full', 'memory']),
    why: z.string().optional(),
    freeBytes: z.int().optional(),
    totalBytes: z.int().optional(),
  }),
  /** How far a release is on this box. `fetched` are bytes that travelled, of `bytes` written out of `total`. */
  'appliance.update': z.object({
    release: z.string(),
    version: z.string(),
    phase: UpdatePhase,
    why: z.string().optional(),
    bytes: z.int().optional(),
    total: z.int().optional(),
    fetched: z.int().optional(),
  }),
  /** The other slot was empty or rotten, and holds a copy of the running system now. */
  'appliance.slot-repaired': z.object({ slot: SlotLetter, why: z.string() }),
} as const

export type EventKind = keyof typeof kinds
export const {
  'appliance.started': ApplianceStarted,
  'appliance.data': ApplianceData,
  'appliance.update': ApplianceUpdate,
  'appliance.slot-repaired': SlotRepaired,
} = kinds
export const EVENT_KINDS = Object.keys(kinds) as EventKind[]
export type EventData<K extends EventKind> = z.infer<(typeof kinds)[K]>

/** A fact that happened at a site. Ids are UUIDv7; the manager takes each id once. */
export interface SiteEvent<K extends EventKind = EventKind> {
  id: string
  at: number
  kind: K
  host?: string | undefined
  data: EventData<K>
}
export type AnyEvent = { [K in EventKind]: SiteEvent<K> }[EventKind]

const Envelope = z.object({ id: z.uuid(), at: z.int(), kind: z.string(), host: z.uuid().optional(), data: z.unknown() })

/**
 * Reads one event from a peer. Unknown kinds (a newer appliance) come back as `unknown`, to be stored and passed over.
 * Throws ZodError when the envelope or the data of a known kind is malformed.
 */
export function parseEvent(
  value: unknown,
): { known: true; event: AnyEvent } | { known: false; id: string; at: number; kind: string; host?: string | undefined } {
  const { data, ...head } = Envelope.parse(value)
  if (!Object.hasOwn(kinds, head.kind)) return { known: false, ...head }
  const kind = head.kind as EventKind
  return { known: true, event: { ...head, kind, data: kinds[kind].parse(data) } as AnyEvent }
}
