import { z } from 'zod'
import { contains, Ipv4, Mac } from './address.ts'
import { PROTOCOL } from './state.ts'

export const PublicKeyJwk = z.object({ kid: z.string().max(128), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().max(64) })
const WireguardKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/, 'expected a WireGuard public key (44 characters of base64)')

/** SHA-256 as people copy it: hexadecimal, any case, colons allowed. */
export const Fingerprint = z
  .string()
  .transform((text) => text.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 fingerprint of 64 hexadecimal digits'))

const InterfaceName = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{1,15}$/, 'expected the name of a network interface, such as eth0 (at most 15 letters, digits, dots and dashes)')
const NameServers = z.array(z.union([z.ipv4(), z.ipv6()], { error: 'expected an IP address such as 192.168.1.1' })).max(3)

/** How a flashed box reaches the world. All optional: by DHCP, over the first wired interface that gets an answer. */
export const UplinkConfig = z
  .strictObject({
    interface: InterfaceName.optional(),
    /** Fixed address with prefix length. Without it: DHCP. */
    address: z.cidrv4({ error: 'expected an address with its prefix length, such as 192.168.1.5/24' }).optional(),
    gateway: Ipv4.optional(),
    /** Replace what DHCP names. */
    dns: NameServers.optional(),
    ntp: z.array(z.string().min(1).max(253)).max(4).optional(),
    vlan: z.int({ error: 'expected a VLAN number from 1 to 4094' }).min(1).max(4094).optional(),
    /** HTTP proxy (CONNECT) towards the manager. */
    proxy: z
      .url({ protocol: /^http$/, error: "expected the proxy's URL, such as http://proxy.example:3128" })
      .refine((text) => URL.canParse(text) && new URL(text).pathname === '/', { error: 'expected a URL without path' })
      .optional(),
    wifi: z
      .strictObject({
        /** Octets of UTF-8 count, IEEE 802.11 §9.4.2.2. */
        ssid: z
          .string()
          .min(1, 'expected a name')
          .refine((text) => new TextEncoder().encode(text).length <= 32, 'expected at most 32 bytes'),
        psk: z
          .string()
          .regex(
            /^([\x20-\x7e]{8,63}|[0-9a-fA-F]{64})$/,
            'expected a passphrase of 8 to 63 printable characters, or 64 hexadecimal digits',
          ),
        /** ISO 3166 code: which channels may be used. */
        country: z
          .string()
          .regex(/^[A-Z]{2}$/, 'expected two capital letters such as DE')
          .optional(),
      })
      .optional(),
  })
  .superRefine((uplink, context) => {
    if (uplink.gateway !== undefined && uplink.address === undefined)
      context.addIssue({ code: 'custom', path: ['gateway'], message: 'belongs to a fixed address; expected "address" beside it' })
    if (uplink.gateway !== undefined && uplink.address !== undefined && !contains(uplink.address, uplink.gateway))
      context.addIssue({ code: 'custom', path: ['gateway'], message: `${uplink.gateway} lies outside ${uplink.address}` })
    if (uplink.wifi !== undefined && uplink.vlan !== undefined)
      context.addIssue({ code: 'custom', path: ['vlan'], message: 'Wi-Fi carries no VLAN tags' })
  })
export type UplinkConfig = z.infer<typeof UplinkConfig>

/** `bridgehead.json` on the appliance's FAT partition. People write it: an unknown name is a slip of the pen, not a newer peer. */
export const ApplianceConfig = z.strictObject({
  /** Version of this file; the magic by which the image's builder finds it. */
  bridgehead: z.literal(1, { error: 'expected 1' }).optional(),
  /** Shown on the box's screen until it has learned its site's name. */
  name: z.string().min(1).max(63).optional(),
  /** Absent at a site without any uplink, which lives on offline bundles. */
  manager: z.url({ protocol: /^https?$/, error: "expected the manager's URL, such as https://manager.example:8443" }).optional(),
  /** Of the manager's certificate, where no public authority signed it. */
  fingerprint: Fingerprint.optional(),
  /** One-time. Without it a box with a manager shows a claim code. */
  token: z.string().min(16, 'expected at least 16 characters').max(200).optional(),
  uplink: UplinkConfig.optional(),
  lan: z
    .strictObject({
      /** The interface that holds the site's LAN addresses, where it is not the uplink's. */
      interface: InterfaceName.optional(),
      /** Machines on the LAN reach the uplink through this box. */
      nat: z.boolean({ error: 'expected true or false' }).optional(),
    })
    .optional(),
  /** Copies the system to this internal disk, such as `sda` or `nvme0n1`, and goes on from there; `auto`: the only one, if it is empty. */
  install: z
    .string()
    .regex(/^[A-Za-z0-9/._-]{1,64}(:erase)?$/, 'expected "auto" or the name of a disk, such as sda')
    .optional(),
})
export type ApplianceConfig = z.infer<typeof ApplianceConfig>

/** POST /api/v1/enrol. `proof` is this very request without `proof`, signed (kind `enrolment`) with `signingKey`: the sender owns that key. */
export const EnrolRequest = z.object({
  protocol: z.int().min(1),
  /** Absent on a generic image: the manager then answers with a claim code, which a person types at the manager. */
  token: z.string().min(1).max(200).optional(),
  wireguardKey: WireguardKey,
  signingKey: PublicKeyJwk,
  hardware: z.object({
    serial: z.string().max(128).optional(),
    model: z.string().max(128).optional(),
    macs: z.array(z.string().max(17)).max(32),
  }),
  version: z.string().max(64),
  proof: z.string().max(8192),
})
export type EnrolRequest = z.infer<typeof EnrolRequest>

/** A promise of the DHCP server that outlives the box that made it. `until` is epoch milliseconds. */
export const RestoredLease = z.object({ lan: z.string(), ip: Ipv4, mac: Mac, until: z.int(), hostname: z.string().max(255).optional() })
export type RestoredLease = z.infer<typeof RestoredLease>

/** 200. Sent again, the same, to the box that already spent this token (same WireGuard and signing key), with a fresh site secret. */
export const EnrolAnswer = z.object({
  protocol: z.int().default(PROTOCOL),
  site: z.uuid(),
  name: z.string(),
  managerKeys: z.array(PublicKeyJwk).min(1),
  /** Absent only when the manager runs without an overlay (`npm run dev`, loopback). */
  overlay: z
    .object({
      /** This appliance's address, IPv6 with prefix length (a /64 per site). */
      address: z.string(),
      hubKey: WireguardKey,
      /** host:port, UDP. */
      hubEndpoint: z.string(),
      /** The manager's address inside the overlay. */
      hubAddress: z.ipv6(),
      keepaliveSeconds: z.int().default(25),
    })
    .optional(),
  /** Reached over the overlay where there is one. */
  redis: z.object({ host: z.string(), port: z.int(), username: z.string() }),
  /** Base URL for artifact downloads: GET {artifacts}/{sha256}, HTTP basic auth (site id, secret), answers 302 to a presigned URL. */
  artifacts: z.url(),
  /** One secret for Redis and for artifacts. */
  secret: z.string(),
  /** What the site's last appliance had promised and what still lives, so that its successor keeps to it. Taken in with the membership. */
  leases: z.array(RestoredLease).max(65_536).optional(),
})
export type EnrolAnswer = z.infer<typeof EnrolAnswer>

/**
 * 202: a person must decide. With a token: it was spent by another box, and `code` is what to compare. Without: `code` is a claim to be
 * typed at the manager before `expiresAt` (epoch milliseconds by the manager's clock); asking again after that gets a new one.
 */
export const EnrolPending = z.object({ pending: z.literal(true), code: z.string(), expiresAt: z.int().optional() })
export type EnrolPending = z.infer<typeof EnrolPending>
