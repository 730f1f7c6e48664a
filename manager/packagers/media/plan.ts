import { contains, Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { CpuArch } from '@bridgehead/shared/model/state.ts'
import { capabilitiesOfDebian } from '../../builders/ipxe/capabilities.ts'
import { FEATURE_NAMES, feature } from '../../builders/ipxe/features.ts'
import { IpxeOptions, type NewIpxeOptions } from '../../builders/ipxe/options.ts'
import { type IpxePlatform, type IpxeTarget, PLATFORMS, platformOf } from '../../builders/ipxe/request.ts'
import { checkScript } from '../../builders/ipxe/script.ts'
import type { Refusal } from './error.ts'
import { refuseSecureBoot } from './grub-config.ts'
import type { MediaRecipe, Output, ResolvedMedia, WayTaken } from './recipe.ts'
import { mediaScript } from './script.ts'

/** How the loaders of one platform are had. */
export interface PlatformPlan extends WayTaken {
  targets: IpxeTarget[]
  /** For `compiled`. */
  options?: IpxeOptions
}

export interface MediaPlan {
  script: string
  platforms: PlatformPlan[]
  /** When there are any, nothing can be made. */
  refusals: Refusal[]
}

/** Loaders that each output wants, by platform. Debian's package has no small one (`snponly`) for arm64: then the large one serves. */
const TARGETS: Record<Output, readonly IpxeTarget[]> = {
  iso: ['bin/ipxe.lkrn', 'bin-x86_64-efi/ipxe.efi', 'bin-arm64-efi/ipxe.efi'],
  usb: ['bin/ipxe.lkrn', 'bin-x86_64-efi/ipxe.efi', 'bin-arm64-efi/ipxe.efi'],
  pi: ['bin-arm64-efi/ipxe.efi'],
  pxe: [
    ...(['bin/undionly.kpxe', 'bin/ipxe.pxe', 'bin-x86_64-efi/snponly.efi', 'bin-x86_64-efi/ipxe.efi'] as const),
    ...(['bin-arm64-efi/snponly.efi', 'bin-arm64-efi/ipxe.efi'] as const),
  ],
  'secure-boot': [],
  bundle: [],
}
/** What Debian's package `ipxe` does not have (1.21.1). */
const NOT_PREBUILT: readonly IpxeTarget[] = ['bin-arm64-efi/snponly.efi']

/** The package's version is not known before it was fetched; any that the parts accept can do at least what this one can. */
const PREBUILT_VERSION = '1.21.1'

/**
 * What is to be done for a recipe: the script, and for each platform whether Debian's prebuilt iPXE will do. Pure. `prebuilt`: version of
 * the package, when it is known.
 */
export function planMedia({ recipe, target }: ResolvedMedia, prebuilt = PREBUILT_VERSION): MediaPlan {
  const script = mediaScript(recipe, target)
  const platforms = platformsOf(recipe)
  const refusals = [
    ...refuseOutputs(recipe),
    ...refuseNetwork(recipe, target),
    ...refuseCa(recipe, target),
    ...refuseSecureBoot(recipe, target),
  ]
  const plans: PlatformPlan[] = []
  for (const platform of platforms) {
    const targets = targetsOf(recipe.outputs, platform)
    if (targets.length === 0) continue
    const planned = planPlatform(platform, targets, { recipe, script, prebuilt, scriptField: target.kind })
    if ('way' in planned) plans.push(planned)
    else refusals.push(...planned)
  }
  const seen = new Set<string>() // one platform after the other finds the same
  return {
    script,
    platforms: plans,
    refusals: refusals.filter(({ field, message }) => !seen.has(`${field} ${message}`) && seen.add(`${field} ${message}`)),
  }
}

/** Platforms that this recipe's machines have. */
export function platformsOf({ architectures, firmware }: Pick<MediaRecipe, 'architectures' | 'firmware'>): IpxePlatform[] {
  const all = ['bin', 'bin-x86_64-efi', 'bin-arm64-efi'] as const
  return all.filter((name) => architectures.includes(PLATFORMS[name].architecture) && firmware.includes(PLATFORMS[name].firmware))
}

function targetsOf(outputs: readonly Output[], platform: IpxePlatform): IpxeTarget[] {
  return [...new Set(outputs.flatMap((output) => TARGETS[output]))].filter((target) => platformOf(target) === platform)
}

interface Surroundings {
  recipe: MediaRecipe
  script: string
  prebuilt: string
  scriptField: 'site' | 'url' | 'script'
}

function planPlatform(platform: IpxePlatform, targets: IpxeTarget[], around: Surroundings): PlatformPlan | Refusal[] {
  const { recipe, script, prebuilt } = around
  const needs = reasonsToCompile(platform, around)
  if (recipe.way === 'prebuilt' && needs.length > 0)
    return needs.map(({ field, message }) => ({ field, message: `${message}; expected way "auto" or "compiled" for that` }))
  if (recipe.way !== 'compiled' && needs.length === 0)
    return {
      platform,
      way: 'prebuilt',
      script: 'file',
      why: `Debian's prebuilt iPXE ${prebuilt} can do all that this recipe asks for; the script lies beside it as autoexec.ipxe${platform === 'bin' && recipe.outputs.includes('pxe') ? ', and for the PXE set of BIOS machines the DHCP server must name it to iPXE' : ''}`,
      targets: targets.filter((target) => !NOT_PREBUILT.includes(target)),
    }
  const options = optionsFor(platform, around)
  if ('refusals' in options) return options.refusals
  const why = needs.length > 0 ? needs.map((need) => need.message).join('; ') : 'the recipe asks for compiled loaders'
  const embedded = recipe.autoexec !== true
  const left = checkScript(script, options.options, [PLATFORMS[platform]])
  if (left.length > 0) return left.map(({ message, option }) => ({ field: fieldOf(around, option), message: told(around, message) }))
  return { platform, way: 'compiled', script: embedded ? 'embedded' : 'file', why, targets, options: options.options }
}

/** Why Debian's loader will not do on this platform; empty when it will. */
function reasonsToCompile(platform: IpxePlatform, { recipe, script, prebuilt, scriptField }: Surroundings): Refusal[] {
  const reasons: Refusal[] = []
  const can = capabilitiesOfDebian(prebuilt)
  const place = PLATFORMS[platform]
  if (recipe.autoexec === false) reasons.push({ field: ['autoexec'], message: 'a script inside the loader must be compiled in' })
  if (recipe.ca !== undefined) reasons.push({ field: ['ca'], message: 'certificate authorities must be compiled in' })
  if (recipe.console?.serial && place.firmware === 'bios')
    reasons.push({ field: ['console', 'serial'], message: "Debian's prebuilt loader for BIOS does not speak on serial ports" })
  for (const [name, asked] of Object.entries(recipe.loader ?? {})) {
    if (asked === undefined || hasAlready(name, asked, { can, firmware: place.firmware, architecture: place.architecture })) continue
    reasons.push({ field: ['loader', name], message: `the option "${name}" as asked for is not how Debian's prebuilt loader is` })
  }
  for (const { message } of checkScript(script, { prebuilt: 'debian', version: prebuilt }, [place]))
    reasons.push({ field: [scriptField], message: told({ scriptField }, message) })
  return reasons
}

/** Lines are numbered for whoever wrote them; nobody wrote a script of ours. */
function told({ scriptField }: Pick<Surroundings, 'scriptField'>, message: string): string {
  return scriptField === 'script' ? message : message.replace(/^line \d+: /, '')
}

function hasAlready(
  name: string,
  asked: unknown,
  { can, firmware, architecture }: { can: ReturnType<typeof capabilitiesOfDebian>; firmware: 'bios' | 'uefi'; architecture: CpuArch },
): boolean {
  if (name === 'keyboard') return asked === 'us'
  if (name === 'bannerSeconds') return asked === 2
  const known = FEATURE_NAMES.find((one) => one === name)
  if (known === undefined) return false
  const { only, commands } = feature(known)
  if ((only?.firmware && only.firmware !== firmware) || (only?.architecture && only.architecture !== architecture)) return true
  const has = commands ? commands.every((command) => can.commands.has(command)) : [...can.schemes].some((scheme) => scheme === name)
  return asked === has
}

/** What is asked for, and what the recipe's other fields and its script need besides. */
function optionsFor(platform: IpxePlatform, around: Surroundings): { options: IpxeOptions } | { refusals: Refusal[] } {
  const { recipe, script } = around
  const asked: NewIpxeOptions = { ...recipe.loader }
  const given = new Set(Object.keys(asked))
  if (recipe.ca !== undefined) asked.trust ??= recipe.ca
  if (asked.trust !== undefined && !given.has('https')) asked.https = true
  if (recipe.console?.serial && PLATFORMS[platform].firmware === 'bios') asked.serial ??= recipe.console.serial
  const parsed = IpxeOptions.safeParse(asked)
  if (!parsed.success)
    return {
      refusals: parsed.error.issues.map(({ path, message }) => ({
        field: path[0] === 'trust' && !given.has('trust') ? ['ca'] : ['loader', ...path.map(String)],
        message,
      })),
    }
  const options = parsed.data
  for (const { option } of checkScript(script, options, [PLATFORMS[platform]])) {
    if (option === undefined || given.has(option)) continue
    if (option === 'syslog') options.syslog ??= { level: 'info', encrypted: false }
    else options[option] = true
  }
  return { options }
}

/** Whom to blame for what the script cannot do: an option that was switched off, else where the script came from. */
function fieldOf({ recipe, scriptField }: Surroundings, option: string | undefined): string[] {
  return option !== undefined && recipe.loader && Object.hasOwn(recipe.loader, option) ? ['loader', option] : [scriptField]
}

function refuseOutputs(recipe: MediaRecipe): Refusal[] {
  const { architectures, firmware, outputs } = recipe
  const refusals: Refusal[] = []
  if (platformsOf(recipe).length === 0)
    refusals.push({
      field: ['firmware'],
      message: `no ${architectures.join(' or ')} machine has ${firmware.join(' or ')} firmware: expected "uefi" among firmware for arm64`,
    })
  outputs.forEach((output, index) => {
    const refuse = (message: string) => refusals.push({ field: ['outputs', index], message: `${output}: ${message}` })
    if (output === 'pi' && !(architectures.includes('arm64') && firmware.includes('uefi')))
      refuse('a Raspberry Pi boots arm64 by UEFI (its u-boot); expected "arm64" among architectures and "uefi" among firmware')
    if (output === 'secure-boot' && !firmware.includes('uefi')) refuse('only UEFI has Secure Boot; expected "uefi" among firmware')
    if (output === 'bundle' && recipe.site === undefined) refuse('a bundle carries the state of one site; expected the field site')
  })
  return refusals
}

function refuseNetwork({ network }: MediaRecipe, target: ResolvedMedia['target']): Refusal[] {
  if (network === undefined || target.kind === 'script') return []
  const refusals: Refusal[] = []
  const refuse = (name: keyof typeof network, message: string) => refusals.push({ field: ['network', name], message })
  for (const url of target.kind === 'site' ? target.servers : [target.url]) {
    const host = /^[a-z]+:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:]*)/i.exec(url)?.[1] ?? ''
    const literal = Ipv4.safeParse(host).success
    if (network.dns === undefined && !literal && !/^\[|\$\{/.test(host))
      refuse('dns', `expected the address of a name server, because ${url} names its server "${host}"`)
    if (network.gateway === undefined && literal && !contains(network.address, host))
      refuse('gateway', `expected a router's address, because ${host} lies outside the network of ${network.address}`)
  }
  return refusals
}

/** A certificate authority that nothing would ask. */
function refuseCa({ ca, loader }: MediaRecipe, target: ResolvedMedia['target']): Refusal[] {
  const goal = target.kind === 'url' ? target.url : target.kind === 'script' ? target.text : ''
  if (ca === undefined || loader?.imageTrust || loader?.syslog?.encrypted || /https:\/\/|\$\{/i.test(goal)) return []
  return [{ field: ['ca'], message: 'nothing in this recipe goes over HTTPS; expected an https URL, or no ca' }]
}
