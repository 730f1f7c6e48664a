import type { Platform, SiteState } from '../model/state.ts'
import type { BootHost, Goal } from './decide.ts'
import { renderTemplate } from './render.ts'

/**
 * What iPXE for UEFI (2021 and newer) finds beside itself, before it has an address of its own. Saves the 2 s of its banner. `server` is `http://ip[:port]`.
 */
export function autoexecScript(server: string): string {
  return `#!ipxe
dhcp && chain --autofree ${server}/boot/start.ipxe || exit 1
`
}

/** Asks for the real script with what iPXE knows of the machine. Served as /boot/start.ipxe. `server` is `http://ip[:port]`. */
export function startScript(server: string): string {
  return `#!ipxe
:try
chain --replace --autofree ${server}/boot/script?mac=\${netX/mac}&uuid=\${uuid}&platform=\${platform}&arch=\${buildarch}&serial=\${serial:uristring}&vendor=\${manufacturer:uristring}&product=\${product:uristring} || goto again
:again
echo Bridgehead at ${server} does not answer; trying again in 5 seconds
sleep 5
goto try
`
}

/** Variables of every template, built-in or an operator's. */
export interface ScriptVariables {
  /** `http://ip[:port]` of the appliance on the machine's LAN. */
  server: string
  host: { id: string; name: string; mac: string; platform: Platform; tags: Record<string, string> }
  site: { id: string; name: string; tags: Record<string, string> }
  boot: { id: string; token: string }
  profile?: { name: string; version: number; vars: Record<string, string> }
  kernel?: { url: string }
  initrd?: { url: string }
  cmdline?: string
}

/** The iPXE script for a goal. Throws RenderError when an operator's template does not render. */
export function bootScript(goal: Goal, state: SiteState, variables: ScriptVariables): string {
  switch (goal.kind) {
    case 'install': {
      const own = goal.profile.ipxe === undefined ? undefined : state.scripts.find((script) => script.id === goal.profile.ipxe)
      return renderTemplate(own?.text ?? INSTALL, variables)
    }
    case 'wait':
      return renderTemplate(WAIT, variables)
    case 'local-disk':
    case 'ignore':
      return renderTemplate(LOCAL_DISK, variables)
  }
}

export function scriptVariables(input: {
  server: string
  state: SiteState
  host: BootHost | undefined
  mac: string
  platform: Platform
  tags: Record<string, string>
  goal: Goal
  boot: { id: string; token: string }
}): ScriptVariables {
  const { server, state, host, mac, platform, tags, goal, boot } = input
  const base: ScriptVariables = {
    server,
    host: { id: host?.id ?? '', name: host?.name ?? mac, mac, platform, tags },
    site: { id: state.site, name: state.name, tags: state.tags },
    boot,
  }
  if (goal.kind !== 'install') return base
  const url = (ref: { sha256: string; name: string }) => `${server}/artifacts/${ref.sha256}/${ref.name}`
  return {
    ...base,
    profile: { name: goal.profile.name, version: goal.profile.version, vars: goal.profile.vars },
    kernel: { url: url(goal.target.kernel) },
    initrd: { url: url(goal.target.initrd) },
    cmdline:
      `${goal.target.cmdline} bridgehead.server=${server} bridgehead.boot=${boot.id} bridgehead.token=${boot.token} bridgehead.mac=${mac}`.trim(),
  }
}

export const INSTALL = `#!ipxe
echo Bridgehead: {{ host.name }} ({{ host.mac }}) gets {{ profile.name }} version {{ profile.version }}
kernel {{ kernel.url }} initrd=initrd {{ cmdline }} || goto failed
initrd --name initrd {{ initrd.url }} || goto failed
boot || goto failed
:failed
echo Bridgehead: the installer could not be loaded; starting again in 10 seconds
sleep 10
chain --replace --autofree {{ server }}/boot/start.ipxe || reboot
`

export const WAIT = `#!ipxe
echo Bridgehead: {{ host.mac }} waits for approval at site {{ site.name }}
sleep 10
chain --replace --autofree {{ server }}/boot/start.ipxe || reboot
`

/**
 * BIOS, and UEFI with an iPXE of 2021 or newer, start the first disk by `sanboot`. Older iPXE for UEFI cannot; there a tiny GRUB loads
 * \\EFI\\BOOT\\BOOTX64.EFI of the disk. `exit 1` hands back to the firmware, which tries its next entry; plain `exit` would end the
 * boot order with success (UEFI 2.10 §3.1.1) and leave the machine in its setup menu. Tried with iPXE 1.0.0+2019 and 1.21.1+2025.
 */
export const LOCAL_DISK = `#!ipxe
echo Bridgehead: {{ host.name }} boots its own disk
sanboot --no-describe --drive 0x80 || iseq \${platform}-\${buildarch} efi-x86_64 && chain {{ server }}/loaders/disk-x64.efi || exit 1
`
