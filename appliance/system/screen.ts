import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { UpdateStatus } from '../update/updater.ts'
import type { EnrolProgress } from '../uplink/enrol.ts'
import type { BootInfo } from './boot-info.ts'
import type { Screen } from './console/render.ts'
import type { DataPlace } from './data.ts'
import type { DataState } from './data-room.ts'
import type { HealthReport } from './health.ts'
import type { Installing } from './install.ts'
import type { NetworkStatus } from './network/network.ts'
import { type ConfigProblem, formatProblem } from './read-config.ts'

/** What the parts of the box know of themselves. */
export interface BoxView {
  boot: BootInfo
  config: ApplianceConfig
  problems: readonly ConfigProblem[]
  place: DataPlace
  network: NetworkStatus
  enrol: EnrolProgress
  state: SiteState | undefined
  /** Known before there is a state. */
  siteName: string | undefined
  health: HealthReport
  data: DataState
  page: { port: number; credential: string; fingerprint: string } | undefined
  /** What goes on: an update, an installation; and what became of it. */
  doing: readonly string[]
  troubles: readonly string[]
}

/** One picture of the box, for the screen and the local page. Pure. */
export function makeScreen(view: BoxView): Screen {
  const { boot, config, network, state, enrol, page } = view
  const manager = config.manager?.replace(/\/$/, '')
  return {
    version: boot.version,
    board: boot.board,
    slot: boot.slot,
    name: state?.name ?? view.siteName ?? config.name,
    manager,
    uplink: uplinkLine(view),
    claim: enrol.kind === 'claim' && manager !== undefined ? { code: enrol.code, url: `${manager}/claim/${enrol.code}` } : undefined,
    interfaces: interfacesOf(network),
    lans: (state?.lans ?? []).map(({ name, address, mode }) => ({ name, address, mode })),
    page: page && { urls: pageUrls(network, page.port), credential: page.credential, fingerprint: page.fingerprint },
    troubles: troublesOf(view),
    doing: view.doing,
  }
}

/** What the updater does, in words. */
export function updateLines({ release, other, rollback, why }: UpdateStatus): Pick<BoxView, 'doing' | 'troubles'> {
  const percent =
    release?.progress && release.progress.total > 0 ? ` ${Math.floor((release.progress.bytes / release.progress.total) * 100)} %` : ''
  const because = why === undefined ? '' : `: ${why}`
  return {
    doing: release ? [`update to ${release.version}, ${release.phase}${percent}${because}`] : [],
    troubles: [
      ...(rollback ? [`version ${rollback.version} did not hold, this is the one before it: ${rollback.why}`] : []),
      // an update on its way fills that slot anyway
      ...(other.state === 'bad' && !release
        ? [`slot ${other.slot} cannot be started: ${other.why ?? 'damaged'}; it is being repaired`]
        : []),
    ],
  }
}

/** The same with what became of an installation. */
export function withInstall(
  lines: Pick<BoxView, 'doing' | 'troubles'>,
  installing: Installing | undefined,
): Pick<BoxView, 'doing' | 'troubles'> {
  if (!installing) return lines
  if ('doing' in installing) return { ...lines, doing: [installing.doing, ...lines.doing] }
  return { ...lines, troubles: [installing.trouble, ...lines.troubles] }
}

function uplinkLine({ enrol, health, config }: BoxView): string {
  switch (enrol.kind) {
    case 'starting':
      return 'starting'
    case 'member':
      return health.uplink === 'ok' ? 'connected' : 'not connected; the site works on'
    case 'idle':
      return config.manager === undefined ? 'none: bridgehead.json names no manager' : 'none: this site lives on offline bundles'
    case 'asking':
      return 'asks the manager'
    case 'claim':
      return 'waits for somebody to type the code'
    case 'pending':
      return `another box has used this token; approve this one in the console if its code is ${enrol.code}`
    case 'refused':
      return `the manager refuses: ${enrol.why}`
    case 'failed':
      return `not enrolled yet: ${enrol.why}`
  }
}

function interfacesOf({ nics, plan }: NetworkStatus): Screen['interfaces'] {
  const devices = [
    ...nics.map((nic) => ({ name: nic.name, carrier: nic.carrier })),
    ...(plan?.vlan ? [{ name: plan.vlan.name, carrier: true }] : []),
  ]
  return devices.map(({ name, carrier }) => {
    const roles = [
      ...(plan?.uplink?.device === name ? ['uplink'] : []),
      ...(plan?.lans ?? []).filter((lan) => lan.device === name).map((lan) => `LAN ${lan.name}`),
    ]
    const addresses = (plan?.addresses ?? []).filter((one) => one.device === name).map((one) => one.address)
    return { name, carrier, addresses, role: roles.join(', ') }
  })
}

/** The uplink's own address is closed where the LAN has an interface of its own. */
function pageUrls({ plan }: NetworkStatus, port: number): string[] {
  const open = (plan?.addresses ?? []).filter((one) => one.device !== plan?.closed)
  return open.map((one) => `https://${one.address.replace(/\/\d+$/, '')}:${port}`)
}

const whatToDo = ({ why = '' }: { why?: string | undefined }) =>
  `What to do: ${/full/.test(why) ? 'assign fewer profiles to this site, or change to a larger card' : 'change the card'}; the site is served meanwhile.`

function troublesOf({ boot, problems, place, data, network, health, enrol, troubles }: BoxView): string[] {
  const found = problems.map((problem) => `bridgehead.json: ${formatProblem(problem)}`)
  if (problems.length > 0) found.push('Until it is corrected the box works with what it knew before.')
  if (place.state === 'memory')
    found.push(`${place.why}; the box works from memory, and what happens now is lost when it is switched off`, whatToDo(place))
  else if (data.state === 'full') found.push(`${data.why}; all is served, but soon nothing new can be kept`, whatToDo(data))
  else if (boot.data.state === 'ok' && boot.data.why !== undefined) found.push(boot.data.why) // it was mended before the daemon began
  for (const slot of boot.tried) if (slot !== boot.slot) found.push(`slot ${slot} could not be started; slot ${boot.slot} took over`)
  found.push(...(network.plan?.problems ?? []))
  if (network.failure !== undefined) found.push(`network: ${network.failure}`)
  if (network.plan && !network.plan.uplink && network.unanswered.length > 0)
    found.push(`nobody answers DHCP on ${network.unanswered.join(', ')}; plug in the uplink, or set uplink.address in bridgehead.json`)
  if (!['starting', 'idle', 'asking'].includes(enrol.kind))
    for (const [service, said] of Object.entries(health.services)) if (said !== 'ok') found.push(`${service}: ${said}`)
  return [...found, ...troubles]
}
