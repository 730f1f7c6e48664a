import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Config } from './config.ts'
import { createDnsServer } from './distributors/dns/server.ts'
import { createTftpServer } from './distributors/pxe/tftp.ts'
import { createHostEngine } from './hosts/engine.ts'
import type { Outbox } from './store/outbox.ts'
import type { Store } from './store/store.ts'
import { createCommandTaker } from './uplink/command-taker.ts'
import { enrol } from './uplink/enrol.ts'
import { readHardware } from './uplink/hardware.ts'
import type { Identity } from './uplink/identity.ts'
import { createLink } from './uplink/link.ts'
import { createOverlay } from './uplink/overlay.ts'
import { redisBus } from './uplink/redis-bus.ts'
import { createStateKeeper, type StateKeeper } from './uplink/state-keeper.ts'
import { createUplink } from './uplink/uplink.ts'

export interface ApplianceDeps {
  config: Config
  version: string
  identity: Identity
  store: Store
  outbox: Outbox
  log: Log
  clock: Clock
  newId: NewId
  newToken: () => string
  random: () => number
}

/** Every part of the appliance, in the order in which they start. Constructing them has no side effects. */
export function createAppliance(deps: ApplianceDeps): readonly Service[] {
  const { config, version, identity, store, outbox, log, clock, newId, newToken, random } = deps
  const engine = createHostEngine({ store, outbox, clock, log, newId, newToken, httpPort: config.ports.http })
  const tftp = createTftpServer({ clock, log, port: config.ports.tftp, find: async () => undefined })
  const dns = createDnsServer({ log, clock, port: config.ports.dns })

  const distribute = (state: SiteState) => {
    const addresses = state.lans.map((lan) => lan.address)
    tftp.apply(addresses)
    dns.apply({ lans: state.lans, ...state.dns, names: engine.names() })
  }

  let states: StateKeeper | undefined
  const uplink = createUplink({
    enrol: (signal) => enrol({ config, identity, hardware: readHardware(), version, store, clock, random, log, signal }),
    async onMember({ site, managerKeys }) {
      states = createStateKeeper({ site, managerKeys, applyInWrite: engine.applyInWrite, store, outbox, log })
      states.onState(distribute)
      await states.load()
    },
    services(membership) {
      if (!states) throw new Error('a member has no state keeper')
      const overlay = createOverlay(membership, { identity, name: config.overlayInterface, log, clock })
      const { site, redis, secret } = membership
      const commands = createCommandTaker({ site, trusted: states.trusted, handle: () => undefined, store, outbox, clock, log })
      const link = createLink({
        connect: redisBus({ site, host: redis.host, port: redis.port, username: redis.username, password: secret }),
        states,
        commands,
        store,
        outbox,
        clock,
        random,
        log,
        version,
        counters: () => ({}),
      })
      return overlay ? [overlay, link] : [link]
    },
    clock,
    random,
    log,
  })

  return [tftp, dns, uplink]
}
