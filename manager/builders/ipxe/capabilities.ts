import { BASIC_COMMANDS, FEATURE_NAMES, feature } from './features.ts'
import type { IpxeOptions } from './options.ts'

export type Scheme = 'https' | 'nfs' | 'ftp'

/** What a script may ask of a loader, and whom to thank when it may not. */
export interface Capabilities {
  /** Ends a sentence: "... is not in {loader}". */
  loader: string
  commands: ReadonlySet<string>
  schemes: ReadonlySet<Scheme>
  syslog: boolean
  syslogs: boolean
}

/** Of a loader that we compile with these options. */
export function capabilitiesOf(options: IpxeOptions): Capabilities {
  const on = FEATURE_NAMES.filter((name) => options[name])
  return {
    loader: 'the loader with these options',
    commands: new Set([...BASIC_COMMANDS, ...on.flatMap((name) => feature(name).commands ?? [])]),
    schemes: new Set((['https', 'nfs', 'ftp'] as const).filter((name) => options[name])),
    syslog: options.syslog !== undefined,
    syslogs: options.syslog?.encrypted === true,
  }
}

const SINCE_2025 = [
  'poweroff',
  'vcreate',
  'vdestroy',
  'ping',
  'console',
  'colour',
  'cpair',
  'certstat',
  'certstore',
  'certfree',
  'iflinkwait',
  'shim',
  'form',
  'present',
]
/** Not in Debian's package of 2019, although upstream always has it by now. */
const NOT_IN_2019 = ['iflinkwait', 'fcstat', 'fcels']

/**
 * Of Debian's package `ipxe`, as its binaries show it: 1.0.0+git-20190125 (Debian 12) and 1.21.1+git20250501 (Debian 13). Without a
 * version: what both can. `params` exists in neither (`param` is missing).
 */
export function capabilitiesOfDebian(version?: string): Capabilities {
  const newer = version !== undefined && !/^(\d+:)?1\.0\./.test(version)
  const basic = BASIC_COMMANDS.filter((command) => !NOT_IN_2019.includes(command))
  return {
    loader: version === undefined ? "Debian's prebuilt loader" : `Debian's prebuilt loader ${version}`,
    commands: new Set([...basic, 'reboot', ...(newer ? SINCE_2025 : [])]),
    schemes: new Set(newer ? ['https', 'nfs', 'ftp'] : ['nfs', 'ftp']),
    syslog: false,
    syslogs: false,
  }
}
