import { z } from 'zod'
import { FEATURE_NAMES, type FeatureName, feature } from './features.ts'
import { certificatesIn } from './pem.ts'

/** How much a syslog console tells, by the names of RFC 5424 §6.2.1; each includes those before it. */
export const SyslogLevel = z.enum(['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'])

/** Keyboard layouts that every version has, by country. */
const Keyboard = z.enum([
  'us',
  'uk',
  'al',
  'by',
  'cf',
  'cz',
  'de',
  'dk',
  'es',
  'et',
  'fi',
  'fr',
  'gr',
  'hu',
  'il',
  'it',
  'lt',
  'mk',
  'mt',
  'nl',
  'no',
  'no-latin1',
  'pl',
  'pt',
  'ro',
  'ru',
  'sg',
  'ua',
])

const PEM_CHARACTERS = 65_536

/** Certificates in PEM form, checked, and written back without what stood around them. */
const Pem = z
  .string()
  .max(PEM_CHARACTERS, `expected at most ${PEM_CHARACTERS} characters of certificates`)
  .transform((text, context) => {
    try {
      return `${certificatesIn(text)
        .map((one) => one.pem)
        .join('\n')}\n`
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
      return z.NEVER
    }
  })

const Serial = z.strictObject({
  port: z.enum(['COM1', 'COM2', 'COM3', 'COM4']).default('COM1'),
  /** Bits a second. */
  speed: z.literal([9600, 19_200, 38_400, 57_600, 115_200]).default(115_200),
  /**
   * Also in UEFI loaders. Most UEFI firmware shows its own console on the serial port already: then every character comes twice. On arm64
   * the port is the one that the firmware's SPCR table names (iPXE 2.0.0 and newer).
   */
  uefi: z.boolean().default(false),
})

const Syslog = z.strictObject({
  level: SyslogLevel.default('info'),
  /** TLS to the log server (RFC 5425) in place of UDP; the script says which server: `set syslogs HOST`. */
  encrypted: z.boolean().default(false),
})

function flags() {
  const shape = {} as Record<FeatureName, z.ZodDefault<z.ZodBoolean>>
  for (const name of FEATURE_NAMES) shape[name] = z.boolean().default(feature(name).standard).describe(feature(name).gives)
  return shape
}

/** What a compiled iPXE can do. People's input: an unknown key is an error. */
export const IpxeOptions = z
  .strictObject({
    ...flags(),
    serial: Serial.optional(),
    syslog: Syslog.optional(),
    keyboard: Keyboard.default('us'),
    /** How long the line "Press Ctrl-B" waits; 0 shows none. */
    bannerSeconds: z.number().min(0).max(60).default(2),
    /** Roots that HTTPS servers, encrypted syslog and image signatures are checked against, in place of iPXE's own root. */
    trust: Pem.optional(),
    /** More certificates to carry along: intermediates of a chain that the server does not send. */
    certificates: Pem.optional(),
    /** Where iPXE asks for cross-signed certificates of roots that it does not know. */
    crossCertificates: z
      .url({ protocol: /^http$/, error: 'expected an http:// URL' })
      .max(200)
      .regex(/^[^"\\\s]*$/, 'expected an URL without quotes')
      .optional(),
  })
  .superRefine((options, context) => {
    const tls = options.https || options.imageTrust || options.syslog?.encrypted
    for (const field of ['trust', 'certificates', 'crossCertificates'] as const)
      if (options[field] !== undefined && !tls)
        context.addIssue({ code: 'custom', path: [field], message: `${field} has no effect without https, imageTrust or syslog.encrypted` })
  })
export type IpxeOptions = z.infer<typeof IpxeOptions>
/** As people write it: what is left out has its default. */
export type NewIpxeOptions = z.input<typeof IpxeOptions>
