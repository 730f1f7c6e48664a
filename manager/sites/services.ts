import type { Health } from '@bridgehead/shared/model/redis-keys.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

const SERVICES = ['dhcp', 'dns', 'pxe', 'ssh', 'network', 'workload', 'uplink'] as const
export const SiteService = z.object({
  service: z.enum(SERVICES),
  state: z.enum(['ok', 'attention', 'off', 'unknown']),
  /** One sentence for people. */
  sentence: z.string(),
  /** When this was known (epoch ms). */
  at: z.int().optional(),
})
export type SiteService = z.infer<typeof SiteService>

export const ForeignServer = z.object({
  lan: z.string(),
  server: z.string(),
  /** The appliance stays silent because of it. */
  blocked: z.boolean(),
  lastSeen: z.int(),
})
export type ForeignServer = z.infer<typeof ForeignServer>

/** What is known of a site. Times are epoch ms. */
export interface SiteKnowledge {
  now: number
  lans: readonly Pick<Lan, 'name' | 'mode'>[]
  dns: { zone: string; forwarders: readonly string[] }
  /** A box is bound to the site. */
  enrolled: boolean
  /** Of the bound box, while it is in touch. `unknown`: the manager cannot ask its Redis. */
  online: { at: number; revision: number; outbox: number; health?: Health | undefined } | 'unknown' | undefined
  lastHeard?: number | undefined
  state: { revision: number; at: number }
  applied?: { revision: number; at: number } | undefined
  refused?: { revision?: number | undefined; why: string; at: number } | undefined
  foreign: readonly ForeignServer[]
  leases: number
  /** Newest of each that matters still. */
  poolFull?: { lan: string; mac: string; at: number } | undefined
  artifactRefused?: { name: string; why: string; at: number } | undefined
  lastRun?: { error?: string | undefined; exitCode: number | null; at: number } | undefined
}

type Said = Omit<SiteService, 'service'>

/** How long a revision may be on its way before somebody should look. */
const LATE_MS = 60_000
/** The box tells each hour of a server that it still hears. */
export const FOREIGN_MS = 2 * 3_600_000
const RECENT_MS = 3_600_000
/** Facts that wait while a box is in touch: more than a burst. */
const MANY_FACTS = 500

/** One honest sentence about each service of a site; what is not known says so. Pure. */
export function siteServices(site: SiteKnowledge): SiteService[] {
  return [
    { service: 'dhcp', ...ofBox(site, dhcp) },
    { service: 'dns', ...ofBox(site, dns) },
    { service: 'pxe', ...ofBox(site, pxe) },
    { service: 'ssh', ...ofBox(site, ssh) },
    { service: 'network', state: 'off', sentence: 'No private network reaches this site: this version has none yet.' },
    { service: 'workload', state: 'off', sentence: 'No cluster runs here: this version has none yet.' },
    { service: 'uplink', ...uplink(site) },
  ]
}

type Present = Exclude<SiteKnowledge['online'], 'unknown' | undefined>

/** What only a box that is in touch can say of itself. */
function ofBox(site: SiteKnowledge, say: (site: SiteKnowledge, online: Present) => Said): Said {
  if (!site.enrolled) return { state: 'off', sentence: 'No box serves this site yet: flash an image for it, or claim a box by its code.' }
  if (site.online === 'unknown') return { state: 'unknown', sentence: 'Not known: the manager cannot reach its Redis.' }
  if (site.online !== undefined) return say(site, site.online)
  const revision = site.applied ? ` with revision ${site.applied.revision}` : ''
  return { state: 'unknown', sentence: `Not known while the box is away; the site goes on by itself${revision}.`, ...heard(site) }
}

const heard = ({ lastHeard }: SiteKnowledge) => (lastHeard === undefined ? {} : { at: lastHeard })

/** What the box's self-tests say of these; undefined when all is well. */
function failing({ health, at }: Present, services: readonly string[]): Said | undefined {
  if (!health) return { state: 'unknown', sentence: 'Not known: the software of this box makes no self-tests; update it.', at }
  const wrong = services.flatMap((service) => {
    const said = health.services[service]
    return said === undefined || said === 'ok'
      ? []
      : [`${service === 'store' ? 'What must be kept is not:' : service.toUpperCase()} ${said}`]
  })
  const silent = services.filter((service) => health.services[service] === undefined)
  if (wrong.length > 0) return { state: 'attention', sentence: `${wrong.join('; ')}.`, at }
  if (silent.length === services.length) return { state: 'unknown', sentence: 'Not known: the first self-test of the box is not over.', at }
  return undefined
}

function dhcp(site: SiteKnowledge, online: Present): Said {
  const { at } = online
  if (site.lans.length === 0) return { state: 'off', sentence: 'The site has no LAN yet: add one.', at }
  const wrong = failing(online, ['store', 'dhcp'])
  if (wrong) return wrong
  const near = site.foreign.filter((one) => site.now - one.lastSeen < FOREIGN_MS)
  const clash = near.find((one) => site.lans.some((lan) => lan.name === one.lan && lan.mode === 'serve'))
  if (clash) {
    const cure = 'set that LAN to proxy, so that both can live, or switch the other server off'
    const silent = clash.blocked ? ', so the box stays silent there' : ''
    return { state: 'attention', sentence: `${clash.server} answers on lan "${clash.lan}" too${silent}: ${cure}.`, at: clash.lastSeen }
  }
  const full = site.poolFull
  if (full && site.now - full.at < RECENT_MS)
    return {
      state: 'attention',
      sentence: `Lan "${full.lan}" had no free address for ${full.mac} ${ago(site, full.at)}: widen its ranges.`,
      at: full.at,
    }
  const modes = site.lans.map((lan) => modeOf(lan, near))
  const state = site.lans.every((lan) => lan.mode === 'observe') ? 'off' : 'ok'
  const leases = site.lans.some((lan) => lan.mode === 'serve') ? ` ${counted(site.leases, 'lease')}.` : ''
  return { state, sentence: `${capital(modes.join('; '))}.${leases}`, at }
}

function modeOf({ name, mode }: SiteKnowledge['lans'][number], near: readonly ForeignServer[]): string {
  const other = near.find((one) => one.lan === name)?.server
  if (mode === 'serve') return `gives addresses on lan "${name}"`
  if (mode === 'proxy') return `answers network boot on lan "${name}" beside ${other ?? 'its own DHCP server, not heard yet'}`
  return `only listens on lan "${name}"${other === undefined ? '' : `, where ${other} gives addresses`}`
}

function dns({ lans, dns: { zone, forwarders } }: SiteKnowledge, online: Present): Said {
  const { at } = online
  if (lans.length === 0) return { state: 'off', sentence: 'The site has no LAN yet: add one.', at }
  const others = forwarders.length > 0 ? forwarders.join(', ') : "the box's own name servers"
  return failing(online, ['dns']) ?? { state: 'ok', sentence: `Answers for ${zone}; asks ${others} for the rest.`, at }
}

function pxe(site: SiteKnowledge, online: Present): Said {
  const { at } = online
  if (site.lans.length === 0) return { state: 'off', sentence: 'The site has no LAN yet: add one.', at }
  const wrong = failing(online, ['tftp', 'http'])
  if (wrong) return wrong
  const { artifactRefused: lost } = site
  if (lost) return { state: 'attention', sentence: `The box could not fetch ${lost.name}: ${lost.why}.`, at: lost.at }
  if (site.lans.every((lan) => lan.mode === 'observe'))
    return { state: 'off', sentence: 'Boots nothing while every LAN is in observe mode; set one to proxy or serve.', at }
  return { state: 'ok', sentence: 'Hands out boot files by TFTP and HTTP.', at }
}

function ssh(site: SiteKnowledge): Said {
  const { lastRun: last } = site
  if (!last) return { state: 'unknown', sentence: 'No script has run at this site yet.' }
  const when = ago(site, last.at)
  if (last.error !== undefined) return { state: 'attention', sentence: `The last run failed ${when}: ${last.error}.`, at: last.at }
  return { state: 'ok', sentence: `The last script ran ${when} and ended with ${last.exitCode ?? 'no exit code'}.`, at: last.at }
}

function uplink(site: SiteKnowledge): Said {
  const { online, state, now } = site
  if (!site.enrolled) return { state: 'off', sentence: 'No box has enrolled yet.' }
  if (online === 'unknown') return { state: 'unknown', sentence: 'Not known: the manager cannot reach its Redis.', ...heard(site) }
  if (!online) {
    const last = site.lastHeard === undefined ? 'it has told nothing yet' : `its last fact came ${ago(site, site.lastHeard)}`
    return { state: 'attention', sentence: `The box is away; ${last}: check its power and its line.`, ...heard(site) }
  }
  const { at } = online
  const { refused } = site
  if (refused && (refused.revision ?? state.revision) >= state.revision)
    return {
      state: 'attention',
      sentence: `The box refused revision ${refused.revision ?? state.revision}: ${refused.why}.`,
      at: refused.at,
    }
  if (online.revision < state.revision && now - state.at > LATE_MS)
    return {
      state: 'attention',
      sentence: `The box is at revision ${online.revision}; revision ${state.revision} was made ${ago(site, state.at)} and is not applied.`,
      at,
    }
  if (online.outbox > MANY_FACTS)
    return { state: 'attention', sentence: `In touch, but ${counted(online.outbox, 'fact')} still wait to be sent.`, at }
  const taken = online.revision < state.revision ? `revision ${state.revision} is on its way` : `revision ${online.revision} is applied`
  return { state: 'ok', sentence: `In touch; ${taken}.`, at }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** `just now`, `4 min ago`, `3 h ago`, `5 days ago`. */
function ago({ now }: SiteKnowledge, at: number): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 120) return `${minutes} min ago`
  if (minutes < 2_880) return `${Math.floor(minutes / 60)} h ago`
  return `${Math.floor(minutes / 1_440)} days ago`
}
