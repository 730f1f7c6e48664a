import type { z } from 'zod'
import { FEATURE_NAMES, feature } from './features.ts'
import type { IpxeOptions, SyslogLevel } from './options.ts'
import { certificatesIn } from './pem.ts'
import type { ScriptPlace } from './script.ts'

/** What a source tree's `config/` says: whether a macro occurs there at all. */
export type Knows = (macro: string) => boolean

export interface ConfigHeaders {
  /** Text by file name below `config/local/`. */
  files: Record<string, string>
  /** Sentences that begin with the option: what this source cannot do. */
  problems: string[]
}

const LOG_LEVELS: Record<z.infer<typeof SyslogLevel>, string> = {
  emergency: 'LOG_EMERG',
  alert: 'LOG_ALERT',
  critical: 'LOG_CRIT',
  error: 'LOG_ERR',
  warning: 'LOG_WARNING',
  notice: 'LOG_NOTICE',
  info: 'LOG_INFO',
  debug: 'LOG_DEBUG',
}

/**
 * The options as C headers. iPXE includes `config/local/X.h` at the end of `config/X.h`, so ours has the last word; each macro is undefined
 * first, because a second definition is an error. What a source has never heard of is not mentioned when off, and a problem when on.
 */
export function configHeaders(options: IpxeOptions, place: ScriptPlace, knows: Knows): ConfigHeaders {
  const problems: string[] = []
  const headers: Record<'general' | 'console' | 'crypto' | 'serial', string[]> = { general: [], console: [], crypto: [], serial: [] }
  /** `value`: false undefines; an empty text defines without a value. */
  const define = (header: keyof typeof headers, macro: string, value: string | false, option?: string) => {
    if (!knows(macro)) {
      if (value !== false && option) problems.push(`${option}: this version of iPXE does not know it (${macro})`)
      return
    }
    headers[header].push(`#undef ${macro}`)
    if (value !== false) headers[header].push(`#define ${macro}${value && ` ${value}`}`)
  }

  for (const name of FEATURE_NAMES) {
    const { header, macro, only } = feature(name)
    if (only?.firmware && only.firmware !== place.firmware) continue
    if (only?.architecture && only.architecture !== place.architecture) continue
    define(header, macro, options[name] ? '' : false, name)
  }
  define('general', 'BANNER_TIMEOUT', String(Math.round(options.bannerSeconds * 10)))
  if (options.framebuffer) define('general', 'IMAGE_PNG', '', 'framebuffer')
  if (options.crossCertificates !== undefined) define('crypto', 'CROSSCERT', `"${options.crossCertificates}"`, 'crossCertificates')

  define('console', 'CONSOLE_SYSLOG', options.syslog && !options.syslog.encrypted ? '' : false, 'syslog')
  define('console', 'CONSOLE_SYSLOGS', options.syslog?.encrypted ? '' : false, 'syslog.encrypted')
  define('console', 'LOG_LEVEL', options.syslog ? LOG_LEVELS[options.syslog.level] : 'LOG_NONE')
  // object names have underscores where file names have dashes
  define('console', 'KEYBOARD_MAP', options.keyboard.replaceAll('-', '_'))
  serialConsole(options, place, knows, define, problems)
  if (!knows('CRYPTO_PUBKEY_ECDSA'))
    for (const field of ['trust', 'certificates'] as const)
      for (const { key, subject } of options[field] === undefined ? [] : certificatesIn(options[field]))
        if (key === 'ec') problems.push(`${field}: ${subject} has an EC key; this version of iPXE checks RSA alone`)

  const files = Object.fromEntries(Object.entries(headers).map(([name, lines]) => [`${name}.h`, `${lines.join('\n')}\n`]))
  return { files, problems }
}

function serialConsole(
  { serial }: IpxeOptions,
  place: ScriptPlace,
  knows: Knows,
  define: (header: 'console' | 'serial', macro: string, value: string | false, option?: string) => void,
  problems: string[],
): void {
  const wanted = serial !== undefined && (place.firmware === 'bios' || serial.uefi)
  define('console', 'CONSOLE_SERIAL', wanted ? '' : false, 'serial')
  if (!wanted) return
  const table = knows('SERIAL_SPCR') // 2.0.0: the firmware's table names a port, and would win over ours
  if (place.architecture === 'arm64') {
    if (!table) problems.push('serial.uefi: on arm64 this needs iPXE 2.0.0 or newer, which asks the firmware where the port is')
    return
  }
  define('serial', 'COMCONSOLE', serial.port)
  define('serial', 'COMSPEED', String(serial.speed))
  if (table) {
    define('serial', 'SERIAL_SPCR', false)
    define('serial', 'SERIAL_FIXED', '')
  }
}
