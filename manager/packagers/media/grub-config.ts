import { GrubScriptError, grubScript } from '@bridgehead/shared/boot/grub-script.ts'
import type { Refusal } from './error.ts'
import type { MediaRecipe, MediaTarget } from './recipe.ts'

/**
 * `grub/grub.cfg` of a Secure Boot set: signed GRUB does what the recipe's iPXE script would do. Pure. Throws GrubScriptError for what
 * GRUB cannot do.
 */
export function grubConfig(target: MediaTarget): string {
  return `# Bridgehead: read by Debian's signed GRUB, which got it from beside itself.\n${grubScript(ipxeScript(target))}`
}

/** One server after the other; whichever answers keeps the machine. */
function ipxeScript(target: MediaTarget): string {
  if (target.kind === 'script') return target.text
  const urls = target.kind === 'site' ? target.servers.map((server) => `${server}/boot/start.ipxe`) : [target.url]
  return ['#!ipxe', ...urls.map((url) => `chain ${url} ||`), ''].join('\n')
}

/** What a Secure Boot set of this recipe cannot do. */
export function refuseSecureBoot(recipe: Pick<MediaRecipe, 'network' | 'vlan' | 'outputs'>, target: MediaTarget): Refusal[] {
  if (!recipe.outputs.includes('secure-boot')) return []
  const refusals: Refusal[] = (['network', 'vlan'] as const)
    .filter((field) => recipe[field] !== undefined)
    .map((field) => ({
      field: [field],
      message: 'with Secure Boot the firmware itself loads by network, by DHCP and without a VLAN; expected none',
    }))
  try {
    grubConfig(target)
  } catch (error) {
    if (!(error instanceof GrubScriptError)) throw error
    refusals.push({
      field: [target.kind],
      message: `secure-boot: ${target.kind === 'script' ? error.message : error.message.replace(/^line \d+: /, '')}`,
    })
  }
  return refusals
}
