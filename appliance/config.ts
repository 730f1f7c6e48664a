import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type ApplianceConfig, Fingerprint } from '@bridgehead/shared/model/enrolment.ts'
import { z } from 'zod'
import { BOOT_INFO } from './system/boot-info.ts'
import { formatProblem, parseConfig } from './system/read-config.ts'

/** UDP and TCP ports on which the appliance listens. Only development without root moves them. */
export interface Ports {
  readonly dhcp: number
  readonly pxe: number
  readonly dns: number
  readonly tftp: number
  readonly http: number
}

/** Everything a person may set, checked and frozen before the first socket opens. */
export interface Config {
  /** Path of `bridgehead.json`; the spent token is erased there. */
  readonly file: string
  /** Directory that holds the store, the keys and the artifact cache. */
  readonly data: string
  /** Absent at a site without any uplink. */
  readonly manager?: string | undefined
  readonly fingerprint?: string | undefined
  readonly token?: string | undefined
  /** HTTP proxy on the way to the manager's enrolment door. */
  readonly proxy?: string | undefined
  readonly logLevel: string
  readonly overlayInterface: string
  readonly ports: Ports
}

/** What a person may set on a flashed box besides `bridgehead.json`, which is read while it runs. */
export interface BoxConfig {
  /** Path of `boot.json`, which the system's start wrote. */
  readonly bootInfo: string
  /** Directory on the data partition. */
  readonly data: string
  /** Directory in memory that supervisor, helper and daemon share. */
  readonly run: string
  readonly logLevel: string
  readonly overlayInterface: string
  readonly ports: Ports
}

/** A setting that cannot be used; the message names the field and what was expected. */
export class ConfigError extends Error {
  readonly code = 'config'
}

export const USAGE = `bridgehead appliance

  --config FILE   settings of this box, bridgehead.json (manager, fingerprint, token; {} at a site without any uplink)
  --data DIR      where the store, the keys and the artifacts lie
  --box           runs on a flashed box: settings and disks come from ${BOOT_INFO}
  --version       prints the version
  --help          prints this text

bridgehead appliance import FILE --data DIR   takes in an offline bundle, while the appliance runs or before it starts

  FILE                  the bundle; - reads it from standard input
  --trust FINGERPRINT   trusts the manager's key with this fingerprint, which you have compared with the manager's own word
  --media DIR           puts the boot media of the bundle there

Environment: BRIDGEHEAD_LOG (debug, info, warn, error, silent), BRIDGEHEAD_OVERLAY_INTERFACE (bh-uplink),
BRIDGEHEAD_PORTS (dhcp=67,pxe=4011,dns=53,tftp=69,http=80)
`

const BOX_DATA = '/data/bridgehead'

const STANDARD_PORTS: Ports = { dhcp: 67, pxe: 4011, dns: 53, tftp: 69, http: 80 }

export type Invocation =
  | { run: 'help' }
  | { run: 'version' }
  | { run: 'daemon'; config: Config }
  | { run: 'box'; config: BoxConfig }
  | { run: 'import'; file: string; data: string; trust?: string | undefined; media?: string | undefined }

/** Reads the command line (without node and script), the environment and `bridgehead.json`. Throws ConfigError. */
export function readConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Invocation {
  const { values: options, positionals } = readOptions(argv)
  if (options.help) return { run: 'help' }
  if (options.version) return { run: 'version' }
  if (positionals.length > 0) return readImport(positionals, options)
  for (const name of ['trust', 'media'] as const)
    if (options[name] !== undefined) throw new ConfigError(`--${name} belongs to "import FILE"`)
  if (options.box) return readBox(options, env)
  if (options.config === undefined) throw new ConfigError('--config: expected the path of bridgehead.json')
  if (options.data === undefined) throw new ConfigError('--data: expected a directory for the store, the keys and the artifacts')
  const file = resolve(options.config)
  return {
    run: 'daemon',
    config: Object.freeze({
      file,
      data: resolve(options.data),
      ...settingsOf(file),
      ...readEnvironment(env),
    }),
  }
}

/** `--boot-info` and `--data` name other places than those of the image, for tests. */
function readBox(options: ReturnType<typeof readOptions>['values'], env: Readonly<Record<string, string | undefined>>): Invocation {
  if (options.config !== undefined) throw new ConfigError('--config is not for --box: boot.json names the file')
  const bootInfo = resolve(options['boot-info'] ?? BOOT_INFO)
  const config = Object.freeze({ bootInfo, data: resolve(options.data ?? BOX_DATA), run: dirname(bootInfo), ...readEnvironment(env) })
  return { run: 'box', config }
}

function settingsOf(file: string): Pick<Config, 'manager' | 'fingerprint' | 'token' | 'proxy'> {
  const { manager, fingerprint, token, uplink } = readSettings(file)
  return { manager, fingerprint, token, proxy: uplink?.proxy }
}

function readImport(
  [command, file, ...more]: readonly string[],
  { config, data, trust, media }: ReturnType<typeof readOptions>['values'],
): Invocation {
  if (command !== 'import') throw new ConfigError(`unknown command "${command}"; expected import, or options only`)
  if (file === undefined || more.length > 0)
    throw new ConfigError('import: expected the path of one offline bundle, or - for standard input')
  if (data === undefined) throw new ConfigError("--data: expected the appliance's data directory")
  if (config !== undefined) throw new ConfigError('--config is not for import')
  const fingerprint = Fingerprint.optional().safeParse(trust)
  if (!fingerprint.success) throw new ConfigError(`--trust: ${fingerprint.error.issues[0]?.message}`)
  return {
    run: 'import',
    file: file === '-' ? file : resolve(file),
    data: resolve(data),
    trust: fingerprint.data,
    media: media === undefined ? undefined : resolve(media),
  }
}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        box: { type: 'boolean' },
        'boot-info': { type: 'string' },
        config: { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
        trust: { type: 'string' },
        media: { type: 'string' },
      },
    })
  } catch (cause) {
    throw new ConfigError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function readSettings(file: string): ApplianceConfig {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new ConfigError(`--config: cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const result = parseConfig(bytes)
  if ('config' in result) return result.config
  throw new ConfigError(result.problems.map((problem) => `${file}: ${formatProblem(problem)}`).join('; '))
}

const Environment = z.object({
  BRIDGEHEAD_LOG: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], { error: 'expected one of debug, info, warn, error, silent' })
    .default('info'),
  BRIDGEHEAD_OVERLAY_INTERFACE: z
    .string()
    .regex(/^[a-zA-Z0-9_.-]{1,15}$/, 'expected an interface name of at most 15 letters, digits, dots and dashes')
    .default('bh-uplink'),
  BRIDGEHEAD_PORTS: z.string().default(''),
})

function readEnvironment(env: Readonly<Record<string, string | undefined>>) {
  const parsed = Environment.safeParse(env)
  if (!parsed.success) throw new ConfigError(explain('environment', parsed.error), { cause: parsed.error })
  return {
    logLevel: parsed.data.BRIDGEHEAD_LOG,
    overlayInterface: parsed.data.BRIDGEHEAD_OVERLAY_INTERFACE,
    ports: readPorts(parsed.data.BRIDGEHEAD_PORTS),
  }
}

function readPorts(text: string): Ports {
  const ports: Record<keyof Ports, number> = { ...STANDARD_PORTS }
  for (const part of text.split(',').map((one) => one.trim())) {
    if (part === '') continue
    const [name = '', number = ''] = part.split('=')
    const port = Number(number)
    if (!isPortName(name) || !/^\d+$/.test(number) || port > 65_535)
      throw new ConfigError(`environment: BRIDGEHEAD_PORTS: expected such as dhcp=67,pxe=4011,dns=53,tftp=69,http=80, got "${part}"`)
    ports[name] = port
  }
  return Object.freeze(ports)
}

function isPortName(name: string): name is keyof Ports {
  return Object.hasOwn(STANDARD_PORTS, name)
}

function explain(source: string, error: z.ZodError): string {
  return error.issues.map((issue) => `${source}: ${issue.path.join('.') || 'document'}: ${issue.message}`).join('; ')
}
