import { timingSafeEqual } from 'node:crypto'
import { renderTemplate } from '@bridgehead/shared/boot/render.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { BootStage } from '@bridgehead/shared/model/event.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { isAfter } from './boots.ts'
import type { HostEngine } from './engine.ts'
import type { BootRow } from './records.ts'

/** A request of an installer or an installed system that is refused. `status` is an HTTP status. */
export class InstallError extends Error {
  readonly code = 'install'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** An installer may ask for its answers this long after its boot began. */
const WINDOW_MS = 2 * 3_600_000

export interface InstallDeps {
  store: Store
  outbox: Outbox
  clock: Clock
  engine: HostEngine
  /** The site's general SSH key, authorised on every host that is installed. */
  siteKey: string
}

/** What an installer asks and reports, and what the installed system reports at its first start. */
export function createInstalls({ store, outbox, clock, engine, siteKey }: InstallDeps) {
  const { records } = engine

  function open(id: string, token: string, ip: Ipv4): BootRow {
    const boot = records.boot(id)
    if (!boot?.token || !same(boot.token, token)) throw new InstallError(403, 'this boot is unknown here, or the token is not its own')
    if (boot.ip !== ip) throw new InstallError(403, `this boot belongs to the machine at ${boot.ip}, not to ${ip}`)
    if (clock.now() - boot.started > WINDOW_MS)
      throw new InstallError(410, 'the install window of this boot (2 hours) is over; start the machine again')
    return boot
  }

  return {
    /** The deploy installer's answers as lines `KEY='value'` for a POSIX shell. Given once a boot; again only until the next stage was reported. */
    answers(id: string, token: string, ip: Ipv4, server: Ipv4): Promise<string> {
      return store.write(() => {
        const boot = open(id, token, ip)
        if (boot.answersServed > 0 && isAfter(boot.stage, 'answers'))
          throw new InstallError(410, 'the answers of this boot were fetched already')
        const state = engine.state()
        const host = records.host(boot.host)
        const profile = state?.profiles.find((one) => one.id === boot.profile)
        const target = profile?.targets[boot.arch ?? 'x86_64']
        if (!state || !host || !profile || !target?.image)
          throw new InstallError(409, 'the profile of this boot names no disk image any more')
        const url = engine.serverUrl(server)
        const hook = profile.postInstall === undefined ? undefined : state.scripts.find((script) => script.id === profile.postInstall)
        const variables = {
          server: url,
          host: { id: host.id, name: host.name, tags: host.tags, ip },
          site: { name: state.name, tags: state.tags },
          profile: { name: profile.name, version: profile.version, vars: profile.vars },
        }
        const answers = {
          IMAGE_URL: `${url}/artifacts/${target.image.sha256}/${target.image.name}`,
          IMAGE_SHA256: target.image.sha256,
          IMAGE_BYTES: String(target.imageBytes ?? 0),
          HOSTNAME: host.name,
          DISK: profile.vars.disk ?? '',
          AUTHORIZED_KEYS_B64: base64([siteKey, ...state.keys.map((key) => key.publicKey)].join('\n')),
          POST_INSTALL_B64: hook ? base64(renderTemplate(hook.text, variables)) : '',
          PHONE_HOME_URL: `${url}/phone-home/${boot.id}`,
          PHONE_HOME_TOKEN: boot.phoneToken ?? '',
        }
        boot.answersServed++
        engine.stageInWrite(boot, 'answers')
        return Object.entries(answers)
          .map(([key, value]) => `${key}='${value.replaceAll("'", "'\\''")}'\n`)
          .join('')
      })
    },

    stage(
      id: string,
      token: string,
      ip: Ipv4,
      report: { stage: string; bytes?: number | undefined; total?: number | undefined; detail?: string | undefined },
    ): Promise<void> {
      return store.write(() => {
        const boot = open(id, token, ip)
        const stage = BootStage.safeParse(report.stage)
        if (!stage.success) throw new InstallError(400, `stage: expected one of ${BootStage.options.join(', ')}, got "${report.stage}"`)
        engine.stageInWrite(boot, stage.data, { bytes: report.bytes, total: report.total, detail: report.detail?.slice(0, 4000) })
      })
    },

    /** The install is whole. Once this resolved, every later answer to this machine is its own disk. */
    installed(id: string, token: string, ip: Ipv4): Promise<void> {
      return store.write(() => {
        const boot = open(id, token, ip)
        if (boot.finished) return
        boot.finished = true
        engine.stageInWrite(boot, 'installed')
        const intent = records.intentOf(boot.host)
        const host = records.host(boot.host)
        if (intent && intent.id === boot.intent) {
          records.putIntent({ ...intent, state: 'done' })
          outbox.add('intent.done', { intent: intent.id, kind: intent.kind }, boot.host)
        }
        if (host) engine.setStatusInWrite({ ...host, hostKeys: [] }, 'installed')
        engine.stageInWrite(boot, 'reboot')
      })
    },

    /** The installer gave up at this boot; the next boot tries again, a few times. */
    failed(id: string, token: string, ip: Ipv4, why: string): Promise<void> {
      return store.write(() => {
        const boot = open(id, token, ip)
        boot.finished = true
        engine.stageInWrite(boot, 'failed', { detail: why.slice(0, 4000) })
      })
    },

    /** The installed system is up and says by which keys it will be known. */
    phoneHome(id: string, token: string, ip: Ipv4, hostKeys: readonly string[]): Promise<void> {
      return store.write(() => {
        const boot = records.boot(id)
        if (!boot?.phoneToken || !same(boot.phoneToken, token))
          throw new InstallError(403, 'this boot is unknown here, or the token is not its own')
        const keys = hostKeys.map((line) => line.trim()).filter((line) => /^(ssh-|ecdsa-)\S+ [A-Za-z0-9+/=]+/.test(line))
        if (keys.length === 0) throw new InstallError(400, 'hostkeys: expected OpenSSH public key lines, got none')
        const host = records.host(boot.host)
        if (!host) throw new InstallError(410, 'this machine was removed from the site')
        if (host.status === 'ready' && JSON.stringify(host.hostKeys) === JSON.stringify(keys) && host.ip === ip) return
        outbox.add('host.phone-home', { ip, hostKeys: keys }, host.id)
        engine.setStatusInWrite({ ...host, ip, hostKeys: keys }, 'ready')
        const now = records.lastBoot(host.id) ?? boot
        now.finished = true
        engine.stageInWrite(now, 'phone-home')
      })
    },
  }
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
