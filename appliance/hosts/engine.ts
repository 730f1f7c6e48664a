import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import { type BootDecision, decideBoot, MAX_ATTEMPTS } from '@bridgehead/shared/boot/decide.ts'
import { RenderError } from '@bridgehead/shared/boot/render.ts'
import { defaultHostName } from '@bridgehead/shared/boot/rules.ts'
import { bootScript, scriptVariables } from '@bridgehead/shared/boot/scripts.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import type { BootStage, EventData, HostFacts } from '@bridgehead/shared/model/event.ts'
import type { HostStatus, Lan, SiteState } from '@bridgehead/shared/model/state.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { beginsBoot, laterStage } from './boots.ts'
import { applyRules, followState } from './follow.ts'
import { type BootRow, bootHost, type HostRecords, type HostRow, hostRecords } from './records.ts'

export interface EngineDeps {
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
  newId: NewId
  /** A fresh secret, 32 random bytes as hexadecimal. */
  newToken: () => string
  /** Port of the LAN's HTTP server; 80 is left away in URLs. */
  httpPort: number
}

/** Facts that iPXE reports with its script request. */
export interface ScriptRequest {
  client: BootClient
  ip: Ipv4
  server: Ipv4
  facts: Omit<HostFacts, 'macs'>
}

export type HostEngine = ReturnType<typeof createHostEngine>

/**
 * What this site knows of its machines, and what each is told. Methods named `*InWrite` are synchronous and run inside the
 * caller's `store.write`, so that the answer and the facts it rests on are kept together.
 */
export function createHostEngine(deps: EngineDeps) {
  const { store, outbox, clock, log, newId } = deps
  const records: HostRecords = hostRecords(store.db)
  let state: SiteState | undefined

  const serverUrl = (server: string) => `http://${server}${deps.httpPort === 80 ? '' : `:${deps.httpPort}`}`

  /** Finds the machine or records it, and lets rules look at what is new. */
  function meet(client: BootClient, lan: string | undefined, facts: Omit<HostFacts, 'macs'>): HostRow {
    const now = clock.now()
    const found = records.hostByMac(client.mac)
    const known = { ...found?.facts, ...definedOnly(facts), ...definedOnly({ uuid: client.uuid, platform: knownPlatform(client) }) }
    const merged: HostFacts = { ...known, macs: [...new Set([...(found?.facts.macs ?? []), client.mac])] }
    const host: HostRow = found
      ? { ...found, facts: merged, lan: lan ?? found.lan, lastSeen: now }
      : {
          id: newId(),
          name: defaultHostName([client.mac]),
          status: 'discovered',
          approved: false,
          retired: false,
          managed: false,
          facts: merged,
          tags: {},
          profile: undefined,
          reserved: undefined,
          lan,
          ip: undefined,
          hostKeys: [],
          firstSeen: now,
          lastSeen: now,
        }
    records.putHost(host)
    if (!found) {
      records.putMac(client.mac, host.id)
      outbox.add('host.discovered', { facts: merged, lan }, host.id)
      log.info('host.discovered', { mac: client.mac, host: host.id })
    } else if (JSON.stringify(found.facts) !== JSON.stringify(merged)) outbox.add('host.facts', { facts: merged }, host.id)
    return state && !host.managed ? applyRules({ records, outbox, newId }, state, host, now) : host // what a person decided, no rule changes
  }

  function setStatus(host: HostRow, status: HostStatus, why?: string): void {
    if (host.status === status) return
    host.status = status
    records.putHost(host)
    outbox.add('host.status', { status, why }, host.id)
  }

  function currentBoot(host: HostRow, client: BootClient, asks: 'address' | 'script'): BootRow {
    const now = clock.now()
    const last = records.lastBoot(host.id)
    if (last && !beginsBoot(client, asks, last, now)) return last
    const boot: BootRow = {
      id: newId(),
      host: host.id,
      started: now,
      last: now,
      stage: 'discover',
      ip: undefined,
      intent: undefined,
      token: undefined,
      phoneToken: undefined,
      platform: client.platform,
      profile: undefined,
      arch: undefined,
      answersServed: 0,
      finished: false,
    }
    records.putBoot(boot)
    return boot
  }

  /** Notes a stage of a boot, for the timeline. Runs inside `store.write`. */
  function stageInWrite(boot: BootRow, stage: BootStage, more: Omit<EventData<'boot.stage'>, 'boot' | 'stage'> = {}): void {
    boot.last = clock.now()
    boot.stage = laterStage(boot.stage, stage)
    records.putBoot(boot)
    outbox.add('boot.stage', { boot: boot.id, stage, ...more }, boot.host)
  }

  function decide(host: HostRow, boot: BootRow | undefined, client: BootClient, asks: 'address' | 'script', site: SiteState): BootDecision {
    const intent = records.intentOf(host.id)
    const view = bootHost(host, intent, boot)
    const decision = decideBoot({ state: site, host: view, client, asks })
    if (intent?.state === 'started' && view.intent && view.intent.attempts >= MAX_ATTEMPTS) {
      records.putIntent({ ...intent, state: 'failed' })
      const why = `the install was served ${MAX_ATTEMPTS} times without success`
      outbox.add('intent.failed', { intent: intent.id, kind: intent.kind, why }, host.id)
      setStatus(host, 'failed', why)
    }
    return decision
  }

  return {
    records,
    stageInWrite,
    setStatusInWrite: setStatus,
    serverUrl,
    state: () => state,

    /** Follows a new state document. Runs inside the write that stores it. */
    applyInWrite(next: SiteState): void {
      followState({ records, outbox, newId }, next, clock.now())
      state = next
    },

    /** What DHCP shall tell a machine that wants to boot. Records the machine if it is new. */
    adviseInWrite(client: BootClient, lan: Lan): BootAdvice {
      if (!state) return { kind: 'silent', reasons: ['this appliance has no state yet'] }
      const host = meet(client, lan.name, {})
      const { step, reasons } = decide(host, records.lastBoot(host.id), client, 'address', state)
      const url = serverUrl(lan.address)
      switch (step.kind) {
        case 'loader':
          return { kind: 'file', file: client.http ? `${url}/loaders/${step.name}` : step.name, server: lan.address, reasons }
        case 'start-script':
          return { kind: 'file', file: `${url}/boot/start.ipxe`, server: lan.address, reasons }
        default:
          return { kind: 'silent', reasons }
      }
    },

    /** Notes a packet of the address exchange. `ip` is the address that was confirmed. */
    sawInWrite(client: BootClient, _lan: Lan, stage: 'discover' | 'offer' | 'request' | 'ack', ip?: Ipv4): void {
      const host = records.hostByMac(client.mac)
      if (!host) return
      const boot = currentBoot(host, client, 'address')
      if (ip && stage === 'ack') {
        boot.ip = ip
        records.putHost({ ...host, ip })
      }
      stageInWrite(boot, stage, { detail: client.stage })
    },

    reservationInWrite: (mac: Mac): Ipv4 | undefined => records.hostByMac(mac)?.reserved as Ipv4 | undefined,

    /** The script for a machine at its loader. An install is marked as started, on disk, before the script leaves. */
    script(request: ScriptRequest): Promise<string | undefined> {
      return store.write(() => {
        if (!state) return undefined
        const { client, ip } = request
        const host = meet(client, undefined, request.facts)
        const boot = currentBoot(host, client, 'script')
        boot.platform = client.platform
        const { goal, step, reasons } = decide(host, boot, client, 'script', state)
        if (step.kind !== 'script') return undefined
        boot.ip = ip
        host.ip = ip
        records.putHost(host)
        if (goal.kind === 'install' && boot.intent !== goal.intent) {
          const intent = records.intentOf(host.id)
          if (intent) records.putIntent({ ...intent, state: 'started', attempts: intent.attempts + 1 })
          outbox.add(
            'intent.started',
            { intent: goal.intent, kind: 'install', profile: goal.profile.id, attempt: (intent?.attempts ?? 0) + 1 },
            host.id,
          )
          Object.assign(boot, {
            intent: goal.intent,
            profile: goal.profile.id,
            arch: goal.arch,
            token: deps.newToken(),
            phoneToken: deps.newToken(),
          })
          setStatus(host, 'installing')
        }
        if (goal.kind === 'wait' && boot.stage === 'script') records.putBoot({ ...boot, last: clock.now() })
        else stageInWrite(boot, 'script', { detail: goal.kind, reasons })
        const view = bootHost(host, records.intentOf(host.id), boot)
        const variables = scriptVariables({
          server: serverUrl(request.server),
          state,
          host: view,
          mac: client.mac,
          platform: client.platform,
          tags: host.tags,
          goal,
          boot: { id: boot.id, token: boot.token ?? '' },
        })
        try {
          return bootScript(goal, state, variables)
        } catch (error) {
          if (!(error instanceof RenderError)) throw error
          const script = goal.kind === 'install' ? (goal.profile.ipxe ?? 'install') : goal.kind
          outbox.add('script.render-failed', { script, why: error.message }, host.id)
          stageInWrite(boot, 'failed', { detail: `script ${script}: ${error.message}` })
          return bootScript({ kind: 'local-disk' }, state, variables)
        }
      })
    },

    /** A file went to `ip`: which stage of which boot that was. Quietly nothing for a machine that is not booting. */
    served(transfer: { ip: Ipv4; name: string; sha256: string | undefined; bytes: number; total: number; ms: number }): Promise<void> {
      return store.write(() => {
        const boot = records.bootByIp(transfer.ip, clock.now() - 3_600_000)
        const stage = boot && stageOf(boot, transfer.name, transfer.sha256)
        if (stage) stageInWrite(boot, stage, { bytes: transfer.bytes, total: transfer.total, ms: transfer.ms, detail: transfer.name })
      })
    },

    /** Names for DNS: each machine with an address. */
    names: () => records.hosts().flatMap((host) => (host.ip ? [{ name: host.name, ip: host.ip as Ipv4 }] : [])),

    /** Where and as whom a machine answers by SSH. */
    sshTarget(id: string): { id: string; name: string; ip: Ipv4 | undefined; hostKeys: string[] } | undefined {
      const host = records.host(id)
      return host && { id, name: host.name, ip: host.ip as Ipv4 | undefined, hostKeys: host.hostKeys }
    },
  }

  function stageOf(boot: BootRow, name: string, sha256: string | undefined): BootStage | undefined {
    if (state && Object.hasOwn(state.loaders, name)) return 'loader'
    const target = state?.profiles.find((profile) => profile.id === boot.profile)?.targets[boot.arch ?? 'x86_64']
    if (!target || sha256 === undefined) return undefined
    if (sha256 === target.kernel.sha256) return 'kernel'
    if (sha256 === target.initrd.sha256) return 'initrd'
    return sha256 === target.image?.sha256 ? 'image' : undefined
  }
}

function knownPlatform(client: BootClient) {
  return client.platform === 'unknown' ? undefined : client.platform
}

function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined && one !== '')) as Partial<T>
}
