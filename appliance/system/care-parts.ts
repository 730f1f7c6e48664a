import { join } from 'node:path'
import type { Service } from '@bridgehead/shared/service.ts'
import { createIdleMemory, processMemory } from '../idle-memory.ts'
import { createUpdater } from '../update/updater.ts'
import { readSite } from '../uplink/membership.ts'
import { createConsole } from './console/console.ts'
import { createRoomWatch } from './data-room.ts'
import { diagnose } from './diagnostics.ts'
import { type Installing, installIfAsked } from './install.ts'
import type { LanParts } from './lan-parts.ts'
import type { LogRing } from './log-ring.ts'
import { createLocalPage } from './page/page.ts'
import { type BoxView, makeScreen, updateLines, withInstall } from './screen.ts'

const PAGE_PORT = 8443

/** All that looks after a box which serves its LAN already: what people see of it, its updates, its way to the manager. */
export function makeCareParts(lan: LanParts, ring: LogRing): { services: readonly Service[]; installIfAsked: () => void } {
  const { clock, log, place, boot, store, outbox, told, helper, settings, network, time, appliance, health } = lan
  const updater = createUpdater({
    ...{ store, outbox, clock, log, boot, helper },
    source: appliance.source,
    health: health.report,
    keys: appliance.trusted,
    random: Math.random,
    timeKnown: time.known,
  })
  let installing: Installing | undefined
  const view = (): BoxView => ({
    boot,
    config: settings.current(),
    problems: settings.problems(),
    place,
    network: network.status(),
    enrol: told.enrolment,
    state: appliance.state(),
    siteName: appliance.state() ? undefined : readSite(store)?.name,
    health: health.report(),
    data: room.state(),
    page: page.info(),
    ...withInstall(updateLines(updater.status()), installing),
  })
  const page = createLocalPage({
    directory: join(place.directory, 'page'),
    port: PAGE_PORT,
    screen: () => makeScreen(view()),
    facts: () => ({ leases: appliance.leases(), services: health.report().services }),
    settings: settings.current,
    problems: settings.problems,
    save: settings.write,
    diagnostics: () => diagnose({ view: view(), appliance, updates: updater.status(), lines: ring.lines(), at: clock.now() }),
    clock,
    log,
  })
  const room = createRoomWatch({ place, store, outbox, clock, log, onChange: () => screen.refresh() })
  const screen = createConsole({ devices: boot.consoles, screen: () => makeScreen(view()), clock, log })

  told.onChange = screen.refresh
  told.onState = updater.apply
  const state = appliance.state()
  if (state) updater.apply(state) // it was told before there was anybody to hear it
  settings.onChange(() => {
    void network.applyLans(appliance.state()?.lans ?? [])
    screen.refresh()
  })
  network.onChange(screen.refresh)
  const idleMemory = createIdleMemory({ clock, log, ...processMemory() })
  return {
    services: [settings, screen, ...appliance.services, time, health, room, page, updater, idleMemory],
    installIfAsked: () =>
      void installIfAsked({
        ...{ settings, helper, boot, log },
        say(line) {
          installing = line
          screen.refresh()
        },
      }),
  }
}
