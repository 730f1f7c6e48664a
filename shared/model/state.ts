import { z } from 'zod'
import { bounds, Cidr4, contains, Ipv4, ipv4ToNumber, Mac, overlaps } from './address.ts'
import { MaintenanceWindow } from './maintenance.ts'
import { SCRIPT_CHARACTERS } from './script-text.ts'
import { Tags } from './tags.ts'

/** Protocol of every document between manager and appliance. A manager serves sites at N, N-1 and N-2. */
export const PROTOCOL = 1

/** Instruction set and firmware kind, as PXE clients report them in option 93 (RFC 4578 §2.1, IANA "Processor Architecture Types"). */
export const Platform = z.enum(['bios-x86', 'uefi-x86', 'uefi-x86_64', 'uefi-arm64', 'uefi-arm32', 'unknown'])
export type Platform = z.infer<typeof Platform>

export const CpuArch = z.enum(['x86_64', 'arm64'])
export type CpuArch = z.infer<typeof CpuArch>

/** Bytes in the bucket, and in the appliance's cache, by their name. `name` is only for people and for file extensions. */
export const ArtifactRef = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits'),
  bytes: z.int().nonnegative(),
  name: z.string().regex(/^[\w.+-]{1,100}$/, 'expected a file name of letters, digits and . + - _'),
})
export type ArtifactRef = z.infer<typeof ArtifactRef>

export const LanMode = z.enum(['observe', 'proxy', 'serve'])
export type LanMode = z.infer<typeof LanMode>

const LanShape = z.object({
  /** Unique in the site; named in errors and events. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'expected a short name of lower-case letters, digits and dashes'),
  subnet: Cidr4,
  /** The appliance's own address on this LAN. It serves DHCP, DNS, TFTP and HTTP there. */
  address: Ipv4,
  mode: LanMode.default('proxy'),
  /** The rest matters in `serve` mode. No router: clients get no default route. No dns: the appliance itself. */
  router: Ipv4.optional(),
  dns: z.array(Ipv4).max(8).optional(),
  domain: z
    .string()
    .regex(/^([a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/, 'expected a domain name such as site1.internal')
    .optional(),
  ranges: z
    .array(z.object({ from: Ipv4, to: Ipv4 }))
    .max(32)
    .default([]),
  leaseSeconds: z.int().min(60).max(31_536_000).default(43_200),
})

function checkLan(lan: z.infer<typeof LanShape>, context: z.RefinementCtx): void {
  const outside = (path: (string | number)[], ip: string) =>
    context.addIssue({ code: 'custom', path, message: `${ip} lies outside lan "${lan.name}" (${lan.subnet})` })
  if (!contains(lan.subnet, lan.address)) outside(['address'], lan.address)
  if (lan.router && !contains(lan.subnet, lan.router)) outside(['router'], lan.router)
  const { first, last, prefix } = bounds(lan.subnet)
  if (prefix > 30)
    context.addIssue({
      code: 'custom',
      path: ['subnet'],
      message: `a lan needs room for hosts: expected a prefix of /30 or shorter, got /${prefix}`,
    })
  lan.ranges.forEach((range, index) => {
    for (const end of ['from', 'to'] as const) {
      const value = ipv4ToNumber(range[end])
      if (value <= first || value >= last) outside(['ranges', index, end], range[end])
    }
    if (ipv4ToNumber(range.from) > ipv4ToNumber(range.to))
      context.addIssue({ code: 'custom', path: ['ranges', index], message: `range starts at ${range.from}, after its end ${range.to}` })
  })
}

/** One LAN of a site. */
export const Lan = LanShape.superRefine(checkLan)
export type Lan = z.infer<typeof Lan>
/** The same for people's input: unknown keys are errors. */
export const NewLan = z.strictObject(LanShape.shape).superRefine(checkLan)

/** LANs of one site may not share a subnet (sites may). */
export function checkLans(lans: readonly Lan[], context: z.RefinementCtx): void {
  lans.forEach((lan, index) => {
    for (const other of lans.slice(0, index)) {
      if (lan.name === other.name) context.addIssue({ code: 'custom', path: [index, 'name'], message: `two lans are named "${lan.name}"` })
      if (overlaps(lan.subnet, other.subnet))
        context.addIssue({
          code: 'custom',
          path: [index, 'subnet'],
          message: `subnet ${lan.subnet} overlaps lan "${other.name}" (${other.subnet}) of the same site; sites may share subnets, LANs of one site may not`,
        })
    }
  })
}

export const IntentKind = z.enum(['install', 'local-disk', 'rescue', 'inventory', 'wipe'])
export type IntentKind = z.infer<typeof IntentKind>
/** A one-shot wish for a host's next boot. */
export const Intent = z.object({ id: z.uuid(), kind: IntentKind, profile: z.string().optional(), at: z.int() })
export type Intent = z.infer<typeof Intent>

export const HostStatus = z.enum(['discovered', 'approved', 'installing', 'installed', 'ready', 'failed', 'retired'])
export type HostStatus = z.infer<typeof HostStatus>

/** A host as the manager wants it. What the site knows better (its status, its host key) flows up as events. */
export const HostSpec = z.object({
  id: z.uuid(),
  /** DNS label; also the installed machine's host name. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a host name of lower-case letters, digits and dashes'),
  macs: z.array(Mac).max(32),
  uuid: z.uuid().optional(),
  serial: z.string().max(128).optional(),
  tags: Tags,
  /** Approved machines may be installed; others get the site's default. */
  approved: z.boolean(),
  retired: z.boolean().default(false),
  /** Reserved address. */
  ip: Ipv4.optional(),
  profile: z.string().optional(),
  intent: Intent.optional(),
})
export type HostSpec = z.infer<typeof HostSpec>

/** Recognises machines nobody has registered. All given conditions must hold; an empty match takes every machine. */
export const RuleMatch = z.object({
  macPrefix: z
    .string()
    .regex(/^([0-9a-f]{2}:){0,5}[0-9a-f]{2}$/, 'expected the first bytes of a MAC address, such as 52:54:00')
    .optional(),
  vendor: z.string().max(128).optional(),
  product: z.string().max(128).optional(),
  serial: z.string().max(128).optional(),
  platform: Platform.optional(),
})
/** First match wins, by `order`. Approves the machine, tags it, and, with a profile, installs it once. */
export const Rule = z.object({
  id: z.string(),
  name: z.string(),
  order: z.int(),
  match: RuleMatch,
  tags: Tags.default({}),
  profile: z.string().optional(),
})
export type Rule = z.infer<typeof Rule>

/** What a host becomes, for one CPU architecture. */
export const ProfileTarget = z.object({
  kernel: ArtifactRef,
  initrd: ArtifactRef,
  /** zstd-compressed raw disk image, written by the deploy initramfs. */
  image: ArtifactRef.optional(),
  /** Size of the image when unpacked. */
  imageBytes: z.int().positive().optional(),
  cmdline: z.string().max(2048).default(''),
})
export const Profile = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int().positive(),
  targets: z.partialRecord(CpuArch, ProfileTarget),
  /** Scripts by id: `ipxe` replaces the built-in install script; `postInstall` runs in the new system before its first boot. */
  ipxe: z.string().optional(),
  postInstall: z.string().optional(),
  /** Variables for its templates. */
  vars: z.record(z.string(), z.string()).default({}),
})
export type Profile = z.infer<typeof Profile>

export const ScriptKind = z.enum(['ipxe', 'preseed', 'kickstart', 'cloud-init', 'bash'])
export const Script = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int().positive(),
  kind: ScriptKind,
  text: z.string().max(SCRIPT_CHARACTERS),
})
export type Script = z.infer<typeof Script>

/** An OpenSSH public key that goes into `authorized_keys` of installed hosts. */
export const AuthorizedKey = z.object({
  name: z.string(),
  publicKey: z.string().regex(/^(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+( .*)?$/, 'expected an OpenSSH public key line'),
})

export const DnsRecord = z.object({
  name: z.string(),
  type: z.enum(['A', 'AAAA', 'CNAME', 'TXT', 'SRV', 'PTR']),
  value: z.string(),
  ttl: z.int().min(0).max(86_400).default(300),
})

/** The whole desired state of one site, one document. Unknown fields come from a newer manager and are ignored. */
export const SiteState = z.object({
  protocol: z.int(),
  site: z.uuid(),
  name: z.string(),
  revision: z.int().positive(),
  at: z.int(),
  tags: Tags,
  lans: z.array(Lan).superRefine(checkLans),
  /** What an unknown or unapproved machine is told: boot from disk, wait at the loader for approval, or nothing at all. */
  unknown: z.enum(['local-disk', 'wait', 'ignore']).default('local-disk'),
  hosts: z.array(HostSpec),
  rules: z.array(Rule),
  profiles: z.array(Profile),
  scripts: z.array(Script),
  keys: z.array(AuthorizedKey),
  dns: z.object({
    zone: z.string().default('internal'),
    forwarders: z.array(z.string()).default([]),
    records: z.array(DnsRecord).default([]),
  }),
  /** Loader files by TFTP/HTTP name (`undionly.kpxe`, `snponly.efi`, `ipxe-arm64.efi`). */
  loaders: z.record(z.string(), ArtifactRef).default({}),
  /** Manager keys (public JWK, ed25519) that this site shall trust from now on; lets keys rotate with an overlap. */
  managerKeys: z.array(z.object({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() })).default([]),
  /** What the box itself shall run. Its artifacts go straight to a slot, never through the cache. */
  appliance: z
    .object({
      /** `jws` is a signed ReleaseManifest for this box's board. */
      release: z.object({ id: z.string().max(64), jws: z.string().max(16_384) }).optional(),
      /** When it may restart for that. Absent: at once. */
      window: MaintenanceWindow.optional(),
    })
    .optional(),
})
export type SiteState = z.infer<typeof SiteState>

/** Every artifact the site must hold before it can act on its state alone. */
export function artifactsOf(state: SiteState): ArtifactRef[] {
  const found = new Map<string, ArtifactRef>()
  const add = (ref: ArtifactRef | undefined) => ref && found.set(ref.sha256, ref)
  for (const ref of Object.values(state.loaders)) add(ref)
  for (const profile of state.profiles)
    for (const target of Object.values(profile.targets)) {
      add(target?.kernel)
      add(target?.initrd)
      add(target?.image)
    }
  return [...found.values()]
}
