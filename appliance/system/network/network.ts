import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { type DhcpClient, startDhcpClient } from './dhcp-client.ts'
import { nft, readInterfaces, readRoutes, takeSteps } from './kernel.ts'
import { type NetworkPlan, type Nic, planNetwork } from './plan.ts'
import { type Actual, addressSteps, filterRules, lanLines, routeSteps } from './steps.ts'
import { startWifi, type Wifi } from './wifi.ts'

export interface NetworkStatus {
  nics: readonly Nic[]
  /** Undefined until it was first made. */
  plan: NetworkPlan | undefined
  /** Devices on which no DHCP server answers. */
  unanswered: readonly string[]
  /** What the kernel refused. */
  failure: string | undefined
}

/** This box's own network: cards, addresses, routes, name servers. */
export interface Network extends Service {
  /** Level-triggered: the site's LANs. Resolves once they have their addresses, or could not get them. */
  applyLans(lans: SiteState['lans']): Promise<void>
  status(): NetworkStatus
  onChange(listener: () => void): void
  /** Called when the uplink has an address, or another one: what waits to be asked again need not wait longer. */
  onUplink(listener: () => void): void
}

export interface NetworkDeps {
  config: () => Pick<ApplianceConfig, 'uplink' | 'lan' | 'name'>
  /** Which card was the uplink, over restarts. */
  memory: { load(): string | undefined; save(name: string): void }
  clock: Clock
  log: Log
  /** File for the system's next start: what it tells `ip`, without this daemon, so that the LAN need not wait for programs. */
  ahead: string
  /** In memory (tmpfs), ours alone. */
  directory: string
  /** Path of resolv.conf(5); the file is there and ours. */
  resolvConf: string
  /** LANs will be told in a moment: this box has a site. */
  expectLans: boolean
}

const LOOK_MS = 1_000
/** What nobody tells us of (an address that somebody deleted) is put right at the latest after this. */
const REVIEW_MS = 60_000
/** So long a lease elsewhere must hold before the preferred card is given up. */
const MOVE_MS = 60_000
const ROUNDS = 4
const RETRY_MS = 5_000
/** So long a box that has LANs waits for the word of them, to do all at once, and lets them be served. */
const EXPECT_MS = 1_000

export function createNetwork({ config, memory, clock, log, ahead, directory, resolvConf, expectLans }: NetworkDeps): Network {
  const own = join(directory, 'network')
  const clients = new Map<string, DhcpClient>()
  const listeners: (() => void)[] = []
  const uplinkListeners: (() => void)[] = []
  let uplinkNew = false
  let radio: { text: string; wifi: Wifi } | undefined
  let lans: SiteState['lans'] = []
  let nics: readonly Nic[] = []
  let plan: NetworkPlan | undefined
  let failure: string | undefined
  let rules: string | undefined
  let resolv: string | undefined
  let before = existsSync(ahead) ? readFileSync(ahead, 'utf8') : ''
  let elsewhereSince: number | undefined
  let running = false
  let wanted = false
  let working: Promise<void> = Promise.resolve()
  let addressed: PromiseWithResolvers<void> | undefined
  let following: Promise<void> = Promise.resolve()
  let endLooks = () => {}
  let cancelRetry = () => {}
  let cancelFirst = () => {}

  const settle = () => {
    if (wanted || !running) return
    wanted = true
    working = working.then(async () => {
      wanted = false
      if (!running) return
      await guarded(reconcile)
      tell()
    })
  }
  const guarded = async (task: () => Promise<void>) => {
    try {
      await task()
      if (failure !== undefined) log.info('network.settled')
      failure = undefined
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (failure !== why) log.error('network.failed', { error })
      failure = why
      cancelRetry()
      cancelRetry = clock.after(RETRY_MS, settle)
    }
  }
  const tell = () => {
    if (uplinkNew) for (const listener of uplinkListeners) listener()
    uplinkNew = false
    for (const listener of listeners) listener()
  }

  const reconcile = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { nics: found, actual } = await readInterfaces()
      for (const nic of found)
        if (nic.carrier && nics.some((before) => before.name === nic.name && !before.carrier))
          for (const client of clients.values()) if (client.device.split('.')[0] === nic.name) client.renew()
      nics = found
      const next = makePlan()
      plan = next
      let steps = addressSteps(next, actual)
      const settled = steps.length === 0
      if (settled) steps = routeSteps(next, await readRoutes())
      if (steps.length > 0) {
        log.debug('network.steps', { steps: steps.map((step) => step.join(' ')) })
        await takeSteps(steps)
      }
      addressed?.resolve() // the kernel has taken them; the next round only makes sure
      if (!settled) continue
      // beside: what waits for addresses shall not wait for programs that start
      following = following.then(() => (running ? guarded(() => follow(next, actual.links)) : undefined))
      return
    }
    throw new Error('the kernel does not keep what it was told; trying again')
  }

  const makePlan = (): NetworkPlan => {
    const leases = new Map([...clients].flatMap(([device, { lease }]) => (lease ? [[device, lease] as const] : [])))
    const preferred = memory.load()
    const made = planNetwork({ config: config(), nics, leases, lans, preferred })
    const card = made.uplink?.device.split('.')[0]
    if (card === undefined || card === preferred) elsewhereSince = undefined
    else {
      elsewhereSince ??= clock.now()
      const given = preferred === undefined || !nics.some((nic) => nic.name === preferred) || clock.now() - elsewhereSince >= MOVE_MS
      if (given) memory.save(card)
    }
    if (JSON.stringify(made.problems) !== JSON.stringify(plan?.problems ?? []))
      for (const problem of made.problems) log.warn('network.problem', { problem })
    if (made.uplink?.address !== plan?.uplink?.address) {
      log.info('network.uplink', { ...made.uplink })
      uplinkNew = made.uplink !== undefined
    }
    return made
  }

  /** What is not `ip`'s: clients, radio, name servers, filter. */
  const follow = async (next: NetworkPlan, links: Actual['links']) => {
    const name = hostNameOf(config().name)
    for (const [device, client] of clients)
      if (!next.dhcp.includes(device) || (next.vlan?.name !== device && !nics.some((nic) => nic.name === device))) {
        clients.delete(device)
        await client.stop({ forget: true })
      }
    for (const device of next.dhcp)
      if (!clients.has(device) && links.some((link) => link.name === device && link.up))
        clients.set(device, startDhcpClient(device, { directory: own, hostname: name, clock, log, onChange: settle }))
    const text = JSON.stringify(next.wifi)
    if (radio?.text !== text) {
      await radio?.wifi.stop()
      radio = next.wifi && { text, wifi: startWifi(next.wifi, { directory: own, clock, log }) }
    }
    const lines = next.dns.map((server) => `nameserver ${server}\n`).join('')
    if (resolv !== lines) writeFileSync(resolvConf, lines)
    resolv = lines
    keepAhead(lanLines(next))
    const filter = filterRules(next)
    if (rules !== filter) {
      await nft(filter)
      setSysctl('ip_forward', next.nat.length > 0 ? '1' : '0')
    }
    rules = filter
  }

  const keepAhead = (lines: string) => {
    if (before === lines) return
    before = lines
    try {
      writeFileSync(ahead, lines)
    } catch (error) {
      log.debug('network.not_kept', { error }) // a full disk: the next start takes a second more
    }
  }

  let snapshot = ''
  const look = () => {
    const now = takeSnapshot()
    if (now !== snapshot) settle()
    snapshot = now
  }

  return {
    name: 'network',
    async start() {
      running = true
      setSysctl('conf/all/promote_secondaries', '1') // the other address of a card stays when its first one goes
      // not awaited: the site's services need not wait for programs to run
      if (expectLans) cancelFirst = clock.after(EXPECT_MS, settle)
      else settle()
      const ends = [clock.every(LOOK_MS, look), clock.every(REVIEW_MS, settle)]
      endLooks = () => ends.forEach((end) => void end())
    },
    async stop() {
      running = false
      endLooks()
      cancelFirst()
      await working
      await following
      cancelRetry()
      // addresses, routes and leases stay: the next daemon of this boot goes on with them
      await Promise.all([...clients.values()].map((client) => client.stop({ forget: false })))
      await radio?.wifi.stop()
    },
    applyLans(next) {
      const first = plan === undefined
      lans = next
      if (first && hasAddresses(next)) {
        // a daemon that was killed left them as they were; the programs of a round would only keep those waiting who want to be served
        cancelFirst()
        cancelFirst = clock.after(EXPECT_MS, settle)
        return Promise.resolve()
      }
      settle()
      addressed = Promise.withResolvers()
      return Promise.race([working, addressed.promise])
    },
    status: () => ({
      nics,
      plan,
      unanswered: [...clients.values()].filter((client) => client.unansweredSince !== undefined).map((client) => client.device),
      failure,
    }),
    onChange: (listener) => void listeners.push(listener),
    onUplink: (listener) => void uplinkListeners.push(listener),
  }
}

function hasAddresses(lans: SiteState['lans']): boolean {
  const here = Object.values(networkInterfaces()).flatMap((list) => list?.map((one) => one.cidr) ?? [])
  return lans.every(({ address, subnet }) => here.includes(`${address}/${subnet.split('/')[1]}`))
}

/** Changes when a card comes or goes, a cable is put in, or an address changes. Costs no process. */
function takeSnapshot(): string {
  const addresses = Object.entries(networkInterfaces()).map(([name, list]) => [name, list?.map((one) => one.address)])
  return JSON.stringify([readdirSync('/sys/class/net'), addresses])
}

function setSysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/net/ipv4/${name}`, value)
}

/** RFC 1123 letters of whatever people call their box. */
export function hostNameOf(name: string | undefined): string {
  const letters = (name ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
  return letters === '' ? 'bridgehead' : letters
}
