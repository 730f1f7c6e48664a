import { z } from 'zod'
import { IpxeOptions } from './options.ts'
import { checkScript, SCRIPT_BYTES, type ScriptPlace } from './script.ts'

/** A target's directory is its platform; one warm tree serves one platform. */
export const PLATFORMS = {
  bin: { firmware: 'bios', architecture: 'x86_64', name: 'BIOS' },
  'bin-x86_64-efi': { firmware: 'uefi', architecture: 'x86_64', name: 'UEFI x86_64' },
  'bin-arm64-efi': { firmware: 'uefi', architecture: 'arm64', name: 'UEFI arm64' },
} as const satisfies Record<string, ScriptPlace & { name: string }>
export type IpxePlatform = keyof typeof PLATFORMS

/** Files that can be made, named as iPXE's make names them. */
export const IpxeTarget = z.enum([
  'bin/undionly.kpxe',
  'bin/ipxe.lkrn',
  'bin/ipxe.pxe',
  'bin-x86_64-efi/ipxe.efi',
  'bin-x86_64-efi/snponly.efi',
  'bin-arm64-efi/ipxe.efi',
  'bin-arm64-efi/snponly.efi',
])
export type IpxeTarget = z.infer<typeof IpxeTarget>

export function platformOf(target: IpxeTarget): IpxePlatform {
  const directory = target.slice(0, target.indexOf('/'))
  if (directory === 'bin' || directory === 'bin-x86_64-efi' || directory === 'bin-arm64-efi') return directory
  throw new TypeError(`no platform is known for ${target}`)
}

const targets = z
  .array(IpxeTarget)
  .min(1, 'expected at least one target')
  .max(IpxeTarget.options.length)
  // in one order and each once, so that the same wish has the same name
  .transform((list) => IpxeTarget.options.filter((target) => list.includes(target)))

/** Members of a request besides its source. */
export const ipxeRequestShape = {
  builder: z.literal('ipxe'),
  targets,
  options: IpxeOptions.prefault({}),
  /** Runs as soon as the loader starts, in place of the loader's own `autoboot`. */
  script: z.string().max(SCRIPT_BYTES, `expected a script of at most ${SCRIPT_BYTES} bytes`).optional(),
}

/** For `superRefine`: checks the script against the options and against the machines that the targets are for. */
export function checkIpxeRequest(
  request: { targets: readonly IpxeTarget[]; options: IpxeOptions; script?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (request.script === undefined) return
  const places = [...new Set(request.targets.map(platformOf))].map((platform) => PLATFORMS[platform])
  for (const { message } of checkScript(request.script, request.options, places))
    context.addIssue({ code: 'custom', path: ['script'], message })
}
