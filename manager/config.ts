import { join, resolve } from 'node:path'
import { z } from 'zod'
import { parseS3Url, type S3Place, S3UrlError } from './engines/bucket/s3-url.ts'
import { QueueList, type QueueName } from './engines/jobs/queues.ts'

/** Where a server listens. `host` without brackets. */
export interface Listen {
  host: string
  port: number
}

/** One line a variable: its name, what was expected, what it was. */
export class ConfigError extends Error {
  readonly code = 'config'
}

const port = (fallback: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, 'expected a port number, 1 to 65535')
    .transform(Number)
    .refine((value) => value >= 1 && value <= 65_535, 'expected a port number, 1 to 65535')
    .prefault(String(fallback))

const listen = (fallback: string) =>
  z
    .string()
    .transform((text, context): Listen => {
      const found = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text)
      const number = Number(found?.[3])
      if (found && number <= 65_535) return { host: found[1] ?? found[2] ?? '', port: number }
      context.addIssue({ code: 'custom', message: `expected host:port, such as ${fallback}` })
      return z.NEVER
    })
    .prefault(fallback)

const Environment = z.object({
  BRIDGEHEAD_DATA: z.string().min(1, 'expected a directory').default('.bridgehead/manager'),
  BRIDGEHEAD_HTTP: listen('127.0.0.1:8420'),
  BRIDGEHEAD_HTTPS: listen('[::]:8443'),
  BRIDGEHEAD_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'expected the URL by which appliances reach the manager, such as https://manager.example:8443' })
    .transform((text) => text.replace(/\/+$/, ''))
    .optional(),
  BRIDGEHEAD_OVERLAY: z.enum(['on', 'off'], 'expected on or off').default('on'),
  BRIDGEHEAD_OVERLAY_PORT: port(51_820),
  BRIDGEHEAD_OVERLAY_ENDPOINT: z
    .string()
    .regex(/^(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/, 'expected host:port, such as manager.example:51820')
    .optional(),
  BRIDGEHEAD_OVERLAY_INTERFACE: z
    .string()
    .regex(/^[\w.-]{1,15}$/, 'expected an interface name of at most 15 characters')
    .default('bridgehead0'),
  BRIDGEHEAD_UPLINK_PORT: port(8480),
  BRIDGEHEAD_REDIS_PORT: port(6390),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'expected redis://host:port or rediss://host:port' }).optional(),
  BRIDGEHEAD_BUCKET: z.string().min(1, 'expected a directory').optional(),
  S3_URL: z.string().optional(),
  BRIDGEHEAD_WORK: QueueList.prefault('all'),
  BRIDGEHEAD_IPXE_SOURCE: z.string().optional(),
  BRIDGEHEAD_GRUB_SOURCE: z.string().optional(),
  BRIDGEHEAD_SYSLINUX_SOURCE: z.string().optional(),
  BRIDGEHEAD_LOG: z.enum(['debug', 'info', 'warn', 'error', 'silent'], 'expected debug, info, warn, error or silent').default('info'),
})

/** The manager's settings. */
export interface Config {
  /** Absolute path. */
  readonly data: string
  readonly http: Listen
  readonly https: Listen
  /** What appliances dial; no slash at its end. */
  readonly publicUrl: string
  /** `endpoint`: host:port, UDP, that appliances dial. */
  readonly overlay: { readonly on: boolean; readonly port: number; readonly endpoint: string; readonly interfaceName: string }
  readonly uplinkPort: number
  readonly redis: { readonly port: number; readonly url?: string | undefined }
  /** Absolute path; not used when `s3` is there. */
  readonly bucket: string
  readonly s3?: S3Place | undefined
  /** Queues whose jobs the manager runs itself, besides its own. */
  readonly work: readonly QueueName[]
  /** Absolute paths of directories or tarballs that a builder's source is taken from, before Debian's. */
  readonly sources: { readonly ipxe?: string | undefined; readonly grub?: string | undefined; readonly syslinux?: string | undefined }
  readonly log: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Variables named BRIDGEHEAD_... that mean nothing here: perhaps misspelt, perhaps the appliance's. To be warned of. */
  readonly unknown: readonly string[]
}

/**
 * Reads BRIDGEHEAD_* and REDIS_URL; an empty variable counts as unset. Throws ConfigError, which names every wrong variable and
 * what was expected.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const read = Environment.safeParse(given)
  if (!read.success)
    throw new ConfigError(
      read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}${shown(given, issue.path)}`).join('\n'),
    )
  const value = read.data
  if (value.S3_URL !== undefined && value.BRIDGEHEAD_BUCKET !== undefined)
    throw new ConfigError('BRIDGEHEAD_BUCKET, S3_URL: expected one of them, got both')
  const data = resolve(value.BRIDGEHEAD_DATA)
  const publicUrl = value.BRIDGEHEAD_PUBLIC_URL ?? `https://localhost:${value.BRIDGEHEAD_HTTPS.port}`
  return Object.freeze({
    data,
    http: Object.freeze(value.BRIDGEHEAD_HTTP),
    https: Object.freeze(value.BRIDGEHEAD_HTTPS),
    publicUrl,
    overlay: Object.freeze({
      on: value.BRIDGEHEAD_OVERLAY === 'on',
      port: value.BRIDGEHEAD_OVERLAY_PORT,
      endpoint: value.BRIDGEHEAD_OVERLAY_ENDPOINT ?? `${new URL(publicUrl).hostname}:${value.BRIDGEHEAD_OVERLAY_PORT}`,
      interfaceName: value.BRIDGEHEAD_OVERLAY_INTERFACE,
    }),
    uplinkPort: value.BRIDGEHEAD_UPLINK_PORT,
    redis: Object.freeze({ port: value.BRIDGEHEAD_REDIS_PORT, url: value.REDIS_URL }),
    bucket: resolve(value.BRIDGEHEAD_BUCKET ?? join(data, 'bucket')),
    s3: value.S3_URL === undefined ? undefined : s3Place(value.S3_URL, given),
    work: Object.freeze([...value.BRIDGEHEAD_WORK]),
    sources: Object.freeze({
      ipxe: value.BRIDGEHEAD_IPXE_SOURCE && resolve(value.BRIDGEHEAD_IPXE_SOURCE),
      grub: value.BRIDGEHEAD_GRUB_SOURCE && resolve(value.BRIDGEHEAD_GRUB_SOURCE),
      syslinux: value.BRIDGEHEAD_SYSLINUX_SOURCE && resolve(value.BRIDGEHEAD_SYSLINUX_SOURCE),
    }),
    log: value.BRIDGEHEAD_LOG,
    unknown: Object.freeze(Object.keys(given).filter((name) => name.startsWith('BRIDGEHEAD_') && !Object.hasOwn(Environment.shape, name))),
  })
}

/** `env` holds the credentials. Throws ConfigError, without them. */
export function s3Place(url: string, env: Readonly<Record<string, string | undefined>>): S3Place {
  try {
    return Object.freeze(parseS3Url(url, env))
  } catch (error) {
    throw error instanceof S3UrlError ? new ConfigError(error.message) : error
  }
}

/** REDIS_URL may hold a password, and S3_URL by mistake. */
function shown(given: Record<string, unknown>, path: readonly PropertyKey[]): string {
  const name = String(path[0])
  return name === 'REDIS_URL' || name === 'S3_URL' ? '' : `, got "${given[name]}"`
}
