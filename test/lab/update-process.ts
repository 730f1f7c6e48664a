import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createOutbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { BootInfo } from '@bridgehead/appliance/system/boot-info.ts'
import { fakeHelper } from '@bridgehead/appliance/update/fake-box.ts'
import { createUpdater } from '@bridgehead/appliance/update/updater.ts'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

// The updater alone, as a process to be killed: its box lies as files in the directory that is its argument. What it wants done to the
// machine it writes as files: `reboot` when it asked for a restart, `status.json` at each turn.

const Task = z.object({
  boot: BootInfo,
  bootId: z.string(),
  /** Uptime (ms) when this process begins. */
  uptimeMs: z.number(),
  state: SiteState,
  key: z.object({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() }),
  source: z.object({ url: z.string(), user: z.string(), password: z.string() }),
  /** Versions whose services are never well. */
  ill: z.array(z.string()),
  speed: z.number(),
})
export type Task = z.input<typeof Task>

const [directory = ''] = process.argv.slice(2)
const { boot, bootId, uptimeMs, state, key, source, ill, speed } = Task.parse(
  JSON.parse(readFileSync(join(directory, 'task.json'), 'utf8')),
)
const began = systemClock.now()
const clock: Clock = {
  now: () => Math.round(began + (systemClock.now() - began) * speed),
  after: (ms, task) => systemClock.after(ms / speed, task),
  every: (ms, task) => systemClock.every(ms / speed, task),
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
}
const store = openStore(join(directory, 'store.sqlite'))
const updater = createUpdater({
  store,
  outbox: createOutbox(store.db, { clock, newId }),
  clock,
  log: silentLog,
  boot,
  helper: fakeHelper(directory, boot.slot, async () => writeFileSync(join(directory, 'reboot'), '')),
  source: () => source,
  health: () =>
    ill.includes(boot.version)
      ? { ok: false, services: { dns: 'silent' }, uplink: 'ok' }
      : { ok: true, services: { dns: 'ok' }, uplink: 'ok' },
  keys: () => [key],
  random: () => 0.5,
  machine: { bootId, uptimeMs: () => uptimeMs + (systemClock.now() - began) * speed },
})
await updater.start()
updater.apply(state)
const tell = () => {
  if (!existsSync(join(directory, 'reboot'))) writeFileSync(join(directory, 'status.json'), JSON.stringify(updater.status()))
}
setInterval(tell, 20)
