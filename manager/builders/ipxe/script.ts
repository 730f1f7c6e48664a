import { type Capabilities, capabilitiesOf, capabilitiesOfDebian, type Scheme } from './capabilities.ts'
import { BASIC_COMMANDS, FEATURE_NAMES, type Feature, type FeatureName, feature } from './features.ts'
import type { IpxeOptions } from './options.ts'
import { type Line, linesOf } from './script-lines.ts'

/** Longer scripts are loaded by URL (`chain`), so that loaders stay small. */
export const SCRIPT_BYTES = 65_536

/** Where and why a script would fail; `option` is the one of IpxeOptions that would cure it. */
export interface ScriptProblem {
  /** Counted from 1; 0 speaks of the whole script. */
  line: number
  command?: string
  option?: FeatureName | 'syslog'
  message: string
}

/** A prebuilt loader of Debian's package `ipxe`, of this version, or whichever there is. */
export type Prebuilt = 'prebuilt-debian' | { prebuilt: 'debian'; version: string }
export interface ScriptPlace {
  firmware: 'bios' | 'uefi'
  architecture: 'x86_64' | 'arm64'
}

/**
 * What of `script` would fail in a loader with these options; empty when nothing is known to. Commands and addresses that the script makes
 * up while it runs (`${...}`) are believed. `places`: where it shall run, for commands that not every machine has.
 */
export function checkScript(script: string, loader: IpxeOptions | Prebuilt, places: readonly ScriptPlace[] = []): ScriptProblem[] {
  const whole = checkWhole(script)
  if (whole) return [whole]
  const can = capabilities(loader)
  const lines = linesOf(script)
  const labels = new Set(lines.flatMap((line) => line.label ?? []))
  const known = variablesOf(lines)
  return lines.flatMap((line) =>
    line.commands.flatMap(([command = '', ...args]) => {
      if (command.includes('${')) return []
      const problem = (message: string, option?: ScriptProblem['option']): ScriptProblem => ({
        line: line.number,
        command,
        ...(option && { option }),
        message: `line ${line.number}: ${message}`,
      })
      return [
        ...checkCommand(command, can, places, problem),
        ...checkAddress(command, args, can, known, problem),
        ...checkLabel(command, args, labels, problem),
        ...checkSyslog(command, args, can, problem),
      ]
    }),
  )
}

type Problem = (message: string, option?: ScriptProblem['option']) => ScriptProblem

function capabilities(loader: IpxeOptions | Prebuilt): Capabilities {
  if (loader === 'prebuilt-debian') return capabilitiesOfDebian()
  return 'prebuilt' in loader ? capabilitiesOfDebian(loader.version) : capabilitiesOf(loader)
}

/** iPXE takes a text for a script when it begins with `#!ipxe` and white space (image/script.c, script_probe). */
function checkWhole(script: string): ScriptProblem | undefined {
  const bytes = Buffer.byteLength(script)
  if (bytes > SCRIPT_BYTES)
    return { line: 0, message: `the script has ${bytes} bytes; expected at most ${SCRIPT_BYTES} (chain to the rest by URL)` }
  if (script.includes('\0')) return { line: 0, message: 'the script holds a NUL byte; expected text' }
  if (script.startsWith('\u{feff}'))
    return { line: 1, message: 'line 1: a byte order mark stands before #!ipxe; iPXE does not take that for a script' }
  if (!/^#!ipxe\s/.test(script))
    return { line: 1, message: `line 1: expected #!ipxe, alone on the first line; got "${(script.split('\n')[0] ?? '').slice(0, 40)}"` }
  return undefined
}

function checkCommand(command: string, can: Capabilities, places: readonly ScriptPlace[], problem: Problem): ScriptProblem[] {
  const option = FEATURE_NAMES.find((name) => feature(name).commands?.includes(command))
  if (!can.commands.has(command)) {
    if (option) return [problem(`"${command}" is not in ${can.loader}; turn on the option "${option}"`, option)]
    if (BASIC_COMMANDS.includes(command)) return [problem(`"${command}" is not in ${can.loader}; it needs a compiled one`)]
    return [problem(`"${command}" is no iPXE command that can be built in`)]
  }
  const only: Feature['only'] = command === 'cpuid' ? { architecture: 'x86_64' } : option && feature(option).only
  const lacking = places.filter(
    (place) => (only?.firmware && only.firmware !== place.firmware) || (only?.architecture && only.architecture !== place.architecture),
  )
  return lacking
    .slice(0, 1)
    .map(({ architecture, firmware }) => problem(`"${command}" does not exist on ${architecture} ${firmware === 'bios' ? 'BIOS' : 'UEFI'}`))
}

const TAKES_ADDRESS = new Set([
  ...[
    'imgfetch',
    'module',
    'initrd',
    'imgselect',
    'imgload',
    'kernel',
    'imgexec',
    'chain',
    'boot',
    'imgverify',
    'imgextract',
    'shim',
    'fdt',
  ],
  ...['sanhook', 'sanboot'],
])
const SCHEMES: readonly Scheme[] = ['https', 'nfs', 'ftp']

/** The first argument that is no option, with variables expanded that the script itself sets to plain text. */
function checkAddress(
  command: string,
  args: readonly string[],
  can: Capabilities,
  known: ReadonlyMap<string, string>,
  problem: Problem,
): ScriptProblem[] {
  if (!TAKES_ADDRESS.has(command)) return []
  return args
    .flatMap((argument) => {
      const address = argument.replace(/^\$\{([^}:]+)[^}]*\}/, (whole, name: string) => known.get(name) ?? whole)
      const scheme = SCHEMES.find((one) => address.toLowerCase().startsWith(`${one}://`))
      if (!scheme || can.schemes.has(scheme)) return []
      return [
        problem(
          `"${command} ${argument}" needs ${scheme.toUpperCase()}, which is not in ${can.loader}; turn on the option "${scheme}"`,
          scheme,
        ),
      ]
    })
    .slice(0, 1)
}

function variablesOf(lines: readonly Line[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const { commands } of lines)
    for (const [command, name, ...value] of commands)
      if (command === 'set' && name && value[0]) found.set(name.split(':')[0] ?? name, value[0])
  return found
}

function checkLabel(command: string, args: readonly string[], labels: ReadonlySet<string>, problem: Problem): ScriptProblem[] {
  const [label] = args
  if (command !== 'goto' || !label || label.includes('${') || labels.has(label)) return []
  return [problem(`"goto ${label}": the script has no line ":${label}"`)]
}

function checkSyslog(command: string, [name]: readonly string[], can: Capabilities, problem: Problem): ScriptProblem[] {
  const setting = /^(?:[\w.]+\/)?(syslogs?)(?::\w+)?$/.exec(name ?? '')?.[1]
  if (command !== 'set' || !setting || (setting === 'syslog' ? can.syslog : can.syslogs)) return []
  return [
    problem(
      `"set ${name}" has no effect in ${can.loader}; turn on the option "${setting === 'syslog' ? 'syslog' : 'syslog.encrypted'}"`,
      'syslog',
    ),
  ]
}
