import type { ArtifactRef, CpuArch, Intent, Platform, Profile, SiteState } from '../model/state.ts'

import type { BootClient } from './client.ts'

/** A machine as whoever decides knows it: wishes from the state, progress from the site. */
export interface BootHost {
  id: string
  name: string
  approved: boolean
  retired: boolean
  profile?: string | undefined
  /** The newest wish, and how far it is. `attempts` counts the earlier boots it was served to. */
  intent?: (Pick<Intent, 'id' | 'kind' | 'profile'> & { state: 'pending' | 'started' | 'done' | 'failed'; attempts: number }) | undefined
}

export type Target = NonNullable<Profile['targets'][CpuArch]>

/** What the machine should do at this boot. */
export type Goal =
  | { kind: 'ignore' }
  | { kind: 'local-disk' }
  | { kind: 'wait' }
  | { kind: 'install'; intent: string; profile: Profile; arch: CpuArch; target: Target }

/** What it is told at this step on the way there. */
export type BootStep =
  | { kind: 'silent' }
  /** Firmware fetches a loader, by its name in `state.loaders`. */
  | { kind: 'loader'; name: string; artifact: ArtifactRef }
  /** iPXE fetches the start script, which comes back with what the machine says of itself. */
  | { kind: 'start-script' }
  /** iPXE runs the script of the goal. */
  | { kind: 'script' }

export interface BootDecision {
  goal: Goal
  step: BootStep
  /** Sentences for people, in the order in which they were decided. */
  reasons: string[]
}

/** An install that was served this often without success is given up. */
export const MAX_ATTEMPTS = 3

export interface BootInput {
  state: SiteState
  host: BootHost | undefined
  client: BootClient
  /** `address`: DHCP in any form, which tells where to load from. `script`: iPXE came back for its script. */
  asks: 'address' | 'script'
}

/** What a machine boots: one function for DHCP, proxyDHCP, TFTP and HTTP, run by the appliance to act and by the manager to explain. Pure. */
export function decideBoot({ state, host, client, asks }: BootInput): BootDecision {
  const reasons: string[] = []
  const goal = decideGoal(state, host, client, reasons)
  const step = decideStep(state, goal, client, asks, reasons)
  return { goal, step, reasons }
}

function decideGoal(state: SiteState, host: BootHost | undefined, client: BootClient, reasons: string[]): Goal {
  const disk: Goal = { kind: 'local-disk' }
  if (!host?.approved) {
    reasons.push(host ? `"${host.name}" waits for approval` : `nobody registered ${client.mac}, and no rule approved it`)
    reasons.push(
      `this site tells such machines: ${{ 'local-disk': 'boot your own disk', wait: 'wait at the loader', ignore: 'nothing' }[state.unknown]}`,
    )
    return { kind: state.unknown }
  }
  if (host.retired) return because(disk, reasons, `"${host.name}" is retired`)
  const intent = host.intent
  if (!intent || intent.state === 'done')
    return because(disk, reasons, intent ? `intent "${intent.kind}" is done` : `"${host.name}" has no intent`)
  if (intent.state === 'failed') return because(disk, reasons, `intent "${intent.kind}" failed; set it again to repeat it`)
  if (intent.kind === 'local-disk') return because(disk, reasons, 'intent "local-disk"')
  if (intent.kind !== 'install') return because(disk, reasons, `intent "${intent.kind}" needs a boot image that this site does not have`)
  if (intent.attempts >= MAX_ATTEMPTS) return because(disk, reasons, `the install was served ${MAX_ATTEMPTS} times without success`)

  const name = intent.profile ?? host.profile
  const profile = state.profiles.find((one) => one.id === name)
  if (!profile)
    return because(
      disk,
      reasons,
      name ? `profile "${name}" is not in the site's state` : `"${host.name}" is to be installed but has no profile`,
    )
  const arch = archOf(client.platform)
  const target = arch && profile.targets[arch]
  if (!arch || !target)
    return because(
      disk,
      reasons,
      `profile "${profile.name}" has no target for ${client.platform}; it has ${Object.keys(profile.targets).join(', ') || 'none'}`,
    )
  reasons.push(`intent "install" with profile "${profile.name}" version ${profile.version}, ${arch}`)
  return { kind: 'install', intent: intent.id, profile, arch, target }
}

function decideStep(state: SiteState, goal: Goal, client: BootClient, asks: BootInput['asks'], reasons: string[]): BootStep {
  if (goal.kind === 'ignore') return because({ kind: 'silent' }, reasons, 'so this site stays silent')
  if (asks === 'script') return because({ kind: 'script' }, reasons, `the script for ${goal.kind}`)
  if (client.stage === 'ipxe')
    return because({ kind: 'start-script' }, reasons, 'iPXE runs already (user class), so it gets the start script')
  const name = LOADERS[client.platform]
  if (!name) return because({ kind: 'silent' }, reasons, `no loader is known for ${client.platform} firmware`)
  if (client.http && client.platform === 'bios-x86') return because({ kind: 'silent' }, reasons, 'HTTP boot needs UEFI')
  const artifact = state.loaders[name]
  if (!artifact) return because({ kind: 'silent' }, reasons, `loader ${name} is not in the site's state yet`)
  return because(
    { kind: 'loader', name, artifact },
    reasons,
    `${client.platform} firmware${client.http ? ' (HTTP boot)' : ''} gets loader ${name}`,
  )
}

/** Loader for each firmware. `snponly` uses the firmware's own network driver, which works wherever the firmware's did. */
export const LOADERS: Partial<Record<Platform, string>> = {
  'bios-x86': 'undionly.kpxe',
  'uefi-x86_64': 'snponly.efi',
  'uefi-arm64': 'ipxe-arm64.efi', // Debian ships no snponly for arm64; this one holds the firmware driver too
}

/** BIOS machines are taken for 64-bit ones: no 32-bit target exists. */
export function archOf(platform: Platform): CpuArch | undefined {
  if (platform === 'bios-x86' || platform === 'uefi-x86_64') return 'x86_64'
  return platform === 'uefi-arm64' ? 'arm64' : undefined
}

function because<T>(result: T, reasons: string[], reason: string): T {
  reasons.push(reason)
  return result
}
