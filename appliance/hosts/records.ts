import type { BootHost } from '@bridgehead/shared/boot/decide.ts'
import type { BootStage } from '@bridgehead/shared/model/event.ts'
import { HostFacts } from '@bridgehead/shared/model/event.ts'
import type { CpuArch, HostStatus, IntentKind, Platform } from '@bridgehead/shared/model/state.ts'
import type { Db } from '../store/store.ts'

/** A machine as this site knows it. Times are epoch milliseconds. */
export interface HostRow {
  id: string
  name: string
  status: HostStatus
  approved: boolean
  retired: boolean
  managed: boolean
  facts: HostFacts
  tags: Record<string, string>
  profile: string | undefined
  reserved: string | undefined
  lan: string | undefined
  ip: string | undefined
  hostKeys: string[]
  firstSeen: number
  lastSeen: number
}

export interface IntentRow {
  id: string
  host: string
  kind: IntentKind
  profile: string | undefined
  state: 'pending' | 'started' | 'done' | 'failed'
  attempts: number
  at: number
  origin: 'manager' | 'rule'
}

/** One boot of one machine. `token` is what its installer reports with, `phoneToken` what the installed system does. */
export interface BootRow {
  id: string
  host: string
  started: number
  last: number
  stage: BootStage
  ip: string | undefined
  intent: string | undefined
  token: string | undefined
  phoneToken: string | undefined
  platform: Platform
  profile: string | undefined
  arch: CpuArch | undefined
  answersServed: number
  finished: boolean
}

export type HostRecords = ReturnType<typeof hostRecords>

/** Prepared statements over hosts, their MACs, intents and boots. Everything that writes runs inside `store.write`. */
export function hostRecords(db: Db) {
  const one = {
    host: db.prepare<[string], Raw>('SELECT * FROM hosts WHERE id = ?'),
    byMac: db.prepare<[string], Raw>('SELECT hosts.* FROM hosts JOIN host_macs ON host_macs.host = hosts.id WHERE mac = ?'),
    intent: db.prepare<[string], Raw>(
      "SELECT * FROM intents WHERE host = ? ORDER BY state IN ('pending', 'started') DESC, at DESC, id DESC LIMIT 1",
    ),
    boot: db.prepare<[string], Raw>('SELECT * FROM boots WHERE id = ?'),
    lastBoot: db.prepare<[string], Raw>('SELECT * FROM boots WHERE host = ? ORDER BY started DESC, id DESC LIMIT 1'),
    bootByIp: db.prepare<[string, number], Raw>('SELECT * FROM boots WHERE ip = ? AND last > ? ORDER BY started DESC, id DESC LIMIT 1'),
  }
  const all = {
    hosts: db.prepare<[], Raw>('SELECT * FROM hosts ORDER BY id'),
    macs: db.prepare<[string], { mac: string }>('SELECT mac FROM host_macs WHERE host = ?'),
  }
  const put = {
    host: db.prepare(`INSERT INTO hosts (id, name, status, approved, retired, managed, facts, tags, profile, reserved, lan, ip, host_keys, first_seen, last_seen)
      VALUES (@id, @name, @status, @approved, @retired, @managed, @facts, @tags, @profile, @reserved, @lan, @ip, @hostKeys, @firstSeen, @lastSeen)
      ON CONFLICT (id) DO UPDATE SET name = @name, status = @status, approved = @approved, retired = @retired, managed = @managed, facts = @facts,
        tags = @tags, profile = @profile, reserved = @reserved, lan = @lan, ip = @ip, host_keys = @hostKeys, last_seen = @lastSeen`),
    mac: db.prepare('INSERT INTO host_macs (mac, host) VALUES (?, ?) ON CONFLICT (mac) DO UPDATE SET host = excluded.host'),
    intent:
      db.prepare(`INSERT INTO intents (id, host, kind, profile, state, attempts, at, origin) VALUES (@id, @host, @kind, @profile, @state, @attempts, @at, @origin)
      ON CONFLICT (id) DO UPDATE SET state = @state, attempts = @attempts, origin = @origin`),
    boot: db.prepare(`INSERT INTO boots (id, host, started, last, stage, ip, intent, token, phone_token, platform, profile, arch, answers_served, finished)
      VALUES (@id, @host, @started, @last, @stage, @ip, @intent, @token, @phoneToken, @platform, @profile, @arch, @answersServed, @finished)
      ON CONFLICT (id) DO UPDATE SET last = @last, stage = @stage, ip = @ip, intent = @intent, token = @token, phone_token = @phoneToken,
        platform = @platform, profile = @profile, arch = @arch, answers_served = @answersServed, finished = @finished`),
  }
  const change = {
    rekey: ['host_macs', 'intents', 'boots', 'runs'].map((table) => db.prepare(`UPDATE ${table} SET host = ? WHERE host = ?`)),
    deleteHost: db.prepare('DELETE FROM hosts WHERE id = ?'),
    deleteIntents: db.prepare('DELETE FROM intents WHERE host = ?'),
    deleteBoots: db.prepare('DELETE FROM boots WHERE host = ?'),
    oldBoots: db.prepare(
      'DELETE FROM boots WHERE host = ? AND id NOT IN (SELECT id FROM boots WHERE host = ? ORDER BY started DESC, id DESC LIMIT 8)',
    ),
    dropPending: db.prepare("DELETE FROM intents WHERE host = ? AND state = 'pending' AND origin = 'manager' AND id IS NOT ?"),
    knownIntent: db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM intents WHERE id = ?'),
    adopted: db.prepare("UPDATE intents SET origin = 'manager' WHERE id = ?"),
  }

  const records = {
    host: (id: string) => toHost(one.host.get(id)),
    hostByMac: (mac: string) => toHost(one.byMac.get(mac)),
    hosts: () => all.hosts.all().flatMap((raw) => toHost(raw) ?? []),
    macsOf: (host: string) => all.macs.all(host).map((row) => row.mac),
    /** The open wish, or else the last one. */
    intentOf: (host: string) => toIntent(one.intent.get(host)),
    boot: (id: string) => toBoot(one.boot.get(id)),
    lastBoot: (host: string) => toBoot(one.lastBoot.get(host)),
    bootByIp: (ip: string, after: number) => toBoot(one.bootByIp.get(ip, after)),

    putHost(host: HostRow): void {
      put.host.run({
        ...host,
        ...nulls(host, ['profile', 'reserved', 'lan', 'ip']),
        ...flags(host, ['approved', 'retired', 'managed']),
        facts: JSON.stringify(host.facts),
        tags: JSON.stringify(host.tags),
        hostKeys: JSON.stringify(host.hostKeys),
      })
    },
    putMac: (mac: string, host: string) => void put.mac.run(mac, host),
    putIntent: (intent: IntentRow) => void put.intent.run({ ...intent, ...nulls(intent, ['profile']) }),
    putBoot(boot: BootRow): void {
      put.boot.run({ ...boot, ...nulls(boot, ['ip', 'intent', 'token', 'phoneToken', 'profile', 'arch']), ...flags(boot, ['finished']) })
      change.oldBoots.run(boot.host, boot.host)
    },
    /** Everything told of `from` is told of `to` from now on; `to` must exist. */
    rekey(from: string, to: string): void {
      for (const statement of change.rekey) statement.run(to, from)
      change.deleteHost.run(from)
    },
    forget(host: string): void {
      change.deleteIntents.run(host)
      change.deleteBoots.run(host)
      change.deleteHost.run(host)
    },
    /** Takes back the manager's wishes for this host that nothing has acted on, `keep` excepted. */
    dropPending: (host: string, keep: string | undefined) => void change.dropPending.run(host, keep ?? null),
    knowsIntent: (id: string) => (change.knownIntent.get(id)?.n ?? 0) > 0,
    adoptIntent: (id: string) => void change.adopted.run(id),
  }
  return records
}

/** The host as `decideBoot` takes it. `current` is the boot under way: serving it again is no further attempt. */
export function bootHost(host: HostRow, intent: IntentRow | undefined, current: BootRow | undefined): BootHost {
  return {
    id: host.id,
    name: host.name,
    approved: host.approved,
    retired: host.retired,
    profile: host.profile,
    intent: intent && {
      id: intent.id,
      kind: intent.kind,
      profile: intent.profile,
      state: intent.state,
      attempts: intent.attempts - (current?.intent === intent.id ? 1 : 0),
    },
  }
}

type Raw = Record<string, string | number | null>

function text(value: string | number | null | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}

function nulls<T extends object>(row: T, keys: readonly (keyof T)[]) {
  return Object.fromEntries(keys.map((key) => [key, row[key] ?? null]))
}

function flags<T extends object>(row: T, keys: readonly (keyof T)[]) {
  return Object.fromEntries(keys.map((key) => [key, row[key] ? 1 : 0]))
}

function toHost(raw: Raw | undefined): HostRow | undefined {
  if (!raw) return undefined
  return {
    id: String(raw.id),
    name: String(raw.name),
    status: String(raw.status) as HostStatus,
    approved: raw.approved === 1,
    retired: raw.retired === 1,
    managed: raw.managed === 1,
    facts: HostFacts.parse(JSON.parse(String(raw.facts))),
    tags: JSON.parse(String(raw.tags)),
    profile: text(raw.profile),
    reserved: text(raw.reserved),
    lan: text(raw.lan),
    ip: text(raw.ip),
    hostKeys: JSON.parse(String(raw.host_keys)),
    firstSeen: Number(raw.first_seen),
    lastSeen: Number(raw.last_seen),
  }
}

function toIntent(raw: Raw | undefined): IntentRow | undefined {
  if (!raw) return undefined
  return {
    id: String(raw.id),
    host: String(raw.host),
    kind: String(raw.kind) as IntentKind,
    profile: text(raw.profile),
    state: String(raw.state) as IntentRow['state'],
    attempts: Number(raw.attempts),
    at: Number(raw.at),
    origin: String(raw.origin) as IntentRow['origin'],
  }
}

function toBoot(raw: Raw | undefined): BootRow | undefined {
  if (!raw) return undefined
  return {
    id: String(raw.id),
    host: String(raw.host),
    started: Number(raw.started),
    last: Number(raw.last),
    stage: String(raw.stage) as BootStage,
    ip: text(raw.ip),
    intent: text(raw.intent),
    token: text(raw.token),
    phoneToken: text(raw.phone_token),
    platform: String(raw.platform) as Platform,
    profile: text(raw.profile),
    arch: text(raw.arch) as CpuArch | undefined,
    answersServed: Number(raw.answers_served),
    finished: raw.finished === 1,
  }
}
