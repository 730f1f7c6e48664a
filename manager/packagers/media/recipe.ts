import { createHash } from 'node:crypto'
import { contains, Ipv4 } from '@bridgehead/shared/model/address.ts'
import { ArtifactRef, CpuArch } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { IpxeOptions, type NewIpxeOptions } from '../../builders/ipxe/options.ts'
import { certificatesIn } from '../../builders/ipxe/pem.ts'
import { SCRIPT_BYTES } from '../../builders/ipxe/script.ts'
import { Source } from '../../builders/sources/source.ts'
import { BundleOrder } from './bundle/order.ts'

/** What can be made of a recipe. */
export const Output = z.enum(['iso', 'usb', 'pi', 'pxe', 'secure-boot', 'bundle'])
export type Output = z.infer<typeof Output>
export const Firmware = z.enum(['bios', 'uefi'])
export type Firmware = z.infer<typeof Firmware>

const URL_CHARACTERS = 2_000

/** An URL that iPXE can load; `${...}` stands for iPXE's own variables, such as `${net0/mac}`. */
const BootUrl = z
  .string()
  .max(URL_CHARACTERS, `expected at most ${URL_CHARACTERS} characters`)
  .refine(
    (text) =>
      /^(https?|tftp|ftp|nfs):\/\/[^/\s]/i.test(text) && !/[\s\0-\x1f\x7f]/.test(text) && URL.canParse(text.replace(/\$\{[^}]*\}/g, 'x')),
    'expected an http, https, tftp, ftp or nfs URL without spaces, such as http://boot.example/start.ipxe',
  )

const Network = z
  .strictObject({
    /** The machine's own address with the length of its network's prefix, such as 192.168.1.7/24. */
    address: z.cidrv4({ error: 'expected an IPv4 address with its prefix, such as 192.168.1.7/24' }),
    gateway: Ipv4.optional(),
    dns: Ipv4.optional(),
  })
  .superRefine(({ address, gateway }, context) => {
    if (gateway !== undefined && !contains(address, gateway))
      context.addIssue({
        code: 'custom',
        path: ['gateway'],
        message: `expected an address inside the network of ${address}; ${gateway} is not`,
      })
  })

const Console = z.strictObject({
  /** What iPXE prints also goes to this serial port. On UEFI the firmware does that by itself. */
  serial: z
    .strictObject({
      port: z.enum(['COM1', 'COM2', 'COM3', 'COM4']).default('COM1'),
      /** Bits a second. */
      speed: z.literal([9600, 19_200, 38_400, 57_600, 115_200]).default(115_200),
    })
    .optional(),
})

const Pem = z
  .string()
  .max(65_536, 'expected at most 65536 characters of certificates')
  .superRefine((text, context) => {
    try {
      certificatesIn(text)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  })

/** The loader's options as far as somebody asked for them: what is left out stays open, so that a prebuilt loader may do. */
const AskedOptions = z
  .strictObject(
    Object.fromEntries(
      Object.entries(IpxeOptions.shape).map(([name, schema]) => [
        name,
        (schema instanceof z.ZodDefault ? schema.unwrap() : schema).optional(),
      ]),
    ),
  )
  .transform((given): NewIpxeOptions => given)

/** A list in one order and each once, so that the same wish has the same name. */
const once = <T extends Record<string, string>>(one: z.ZodEnum<T>, what: string) =>
  z
    .array(one)
    .min(1, `expected at least one ${what}`)
    .max(10)
    .transform((list) => one.options.filter((option) => list.includes(option)))

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256: 64 lower-case hexadecimal digits')
/** EFI programs that were uploaded (`POST /sources`), signed by their upstream. */
const SignedLoader = z.strictObject({ loader: Sha256, shim: Sha256.optional() })

/** One recipe for all boot media. What it boots into is exactly one of `site`, `url` and `script`. People's input: unknown keys are errors. */
export const MediaRecipe = z
  .strictObject({
    /** Begins the files' names. */
    name: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'expected at most 40 lower-case letters, digits and dashes, such as shop-7')
      .optional(),
    /** Id or name: boots from that site's appliance. */
    site: z.string().min(1).max(63).optional(),
    /** Boots what lies there: an iPXE script, or anything else that iPXE can start. */
    url: BootUrl.optional(),
    /** A whole iPXE script, `#!ipxe` in its first line. */
    script: z.string().max(SCRIPT_BYTES, `expected at most ${SCRIPT_BYTES} characters; chain to the rest by URL`).optional(),
    architectures: once(CpuArch, 'architecture').default(['x86_64', 'arm64']),
    firmware: once(Firmware, 'firmware').default(['bios', 'uefi']),
    loader: AskedOptions.optional(),
    /** A fixed address; DHCP when left out. */
    network: Network.optional(),
    /** Tag of the VLAN (IEEE 802.1Q) to boot in. */
    vlan: z.int().min(1).max(4094).optional(),
    console: Console.optional(),
    /** Certificate authorities (PEM) that HTTPS servers are checked against, in place of iPXE's own. */
    ca: Pem.optional(),
    /** True: the script lies as a file beside the loader. False: it is built into the loader. Left out: whichever needs no compiling. */
    autoexec: z.boolean().optional(),
    /** For the output `secure-boot`: an iPXE whose signature firmware or its own shim trusts. */
    signedIpxe: z.strictObject({ x86_64: SignedLoader.optional(), arm64: SignedLoader.optional() }).optional(),
    way: z.enum(['auto', 'prebuilt', 'compiled']).default('auto'),
    outputs: once(Output, 'output').default(['iso']),
    /** Any text. A new one makes everything anew, from the archive's packages of that day. */
    edition: z.string().max(64).default(''),
  })
  .superRefine((recipe, context) => {
    const given = (['site', 'url', 'script'] as const).filter((name) => recipe[name] !== undefined)
    if (given.length === 1) return
    const message = `expected exactly one of site, url and script, got ${given.length === 0 ? 'none' : given.join(' and ')}`
    context.addIssue({ code: 'custom', path: given.slice(1, 2), message })
  })
export type MediaRecipe = z.infer<typeof MediaRecipe>
export type NewMediaRecipe = z.input<typeof MediaRecipe>

/** Where the script leads, with nothing left to look up. */
export const MediaTarget = z.discriminatedUnion('kind', [
  /** `servers`: `http://ip`, one for each LAN of the site. */
  z.object({ kind: z.literal('site'), id: z.string(), name: z.string(), servers: z.array(z.string()).min(1) }),
  z.object({ kind: z.literal('url'), url: z.string() }),
  z.object({ kind: z.literal('script'), text: z.string() }),
])
export type MediaTarget = z.infer<typeof MediaTarget>

/** All that a worker needs: it reaches Redis and the bucket only. Has been through MediaRecipe before. */
export const ResolvedMedia = z.object({
  recipe: MediaRecipe,
  target: MediaTarget,
  /** For the output `bundle`: what goes in, written and signed by the manager. */
  bundle: BundleOrder.optional(),
  /** Where to compile iPXE from, for a loader that must be compiled: the manager's own places, as any worker can have them. */
  sources: z.array(Source).optional(),
})
export type ResolvedMedia = z.infer<typeof ResolvedMedia>

/** Which way a platform's loaders were had, and why, in a sentence. */
export const WayTaken = z.object({
  /** As iPXE names its platforms: `bin` (BIOS), `bin-x86_64-efi`, `bin-arm64-efi`. */
  platform: z.enum(['bin', 'bin-x86_64-efi', 'bin-arm64-efi']),
  way: z.enum(['prebuilt', 'compiled']),
  why: z.string(),
  /** Where the script is: beside the loader as `autoexec.ipxe`, or inside it. */
  script: z.enum(['file', 'embedded']),
})
export type WayTaken = z.infer<typeof WayTaken>

/** What was made of a recipe; the document `media/{hash}.json` of the bucket. */
export const MediaManifest = z.object({
  kind: z.literal('media'),
  hash: z.string(),
  recipe: MediaRecipe,
  target: MediaTarget,
  ways: z.array(WayTaken),
  /** The script as it was written to the media. */
  script: z.string(),
  files: z.partialRecord(Output, z.array(ArtifactRef)),
  /** For the output `pxe`: option 93 (RFC 4578 §2.1) of the client -> file. */
  archMap: z.record(z.string(), z.object({ name: z.string(), file: z.string() })).optional(),
  /** Packages whose files are in it: `ipxe` -> version. */
  parts: z.record(z.string(), z.string()),
  /** Seconds by output, and of `loaders`. */
  seconds: z.record(z.string(), z.number()),
})
export type MediaManifest = z.infer<typeof MediaManifest>

/** Name of a recipe, and of what it makes: also counts what the packager itself puts in (`ingredients`: hash of its files). */
export function mediaHash({ recipe, target, bundle, sources }: ResolvedMedia, ingredients: string): string {
  const { site: _, url: __, script: ___, ...rest } = recipe
  // of the bundle only its signed head: the rest follows from it
  const wish = { ...rest, target, bundle: bundle?.entries[0]?.artifact.sha256 ?? null, sources: sources ?? null, ingredients }
  return createHash('sha256')
    .update(JSON.stringify(sorted(wish)))
    .digest('hex')
}

export const mediaKey = (hash: string) => `media/${hash}.json`

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, sorted(member)]))
}
