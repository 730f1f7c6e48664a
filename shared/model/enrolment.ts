import { z } from 'zod'
import { PROTOCOL } from './state.ts'

export const PublicKeyJwk = z.object({ kid: z.string().max(128), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().max(64) })
const WireguardKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/, 'expected a WireGuard public key (44 characters of base64)')

/** SHA-256 as people copy it: hexadecimal, any case, colons allowed. */
export const Fingerprint = z
  .string()
  .transform((text) => text.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 fingerprint of 64 hexadecimal digits'))

/** `bridgehead.json` on the appliance's FAT partition. */
export const ApplianceConfig = z.object({
  /** Absent at a site without any uplink, which lives on offline bundles. */
  manager: z.url({ protocol: /^https?$/, error: "expected the manager's URL, such as https://manager.example:8443" }).optional(),
  /** Of the manager's certificate, where no public authority signed it. */
  fingerprint: Fingerprint.optional(),
  token: z.string().min(16).optional(),
})
export type ApplianceConfig = z.infer<typeof ApplianceConfig>

/** POST /api/v1/enrol. `proof` is this very request without `proof`, signed (kind `enrolment`) with `signingKey`: the sender owns that key. */
export const EnrolRequest = z.object({
  protocol: z.int().min(1),
  token: z.string().min(1).max(200),
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
})
export type EnrolAnswer = z.infer<typeof EnrolAnswer>

/** 202: the token was spent by another box. A person must decide; the appliance asks again with back-off. */
export const EnrolPending = z.object({ pending: z.literal(true), code: z.string() })
