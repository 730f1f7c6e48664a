// The SSH runner alone in a process of its own, to be killed by ssh.test.ts: node ssh-runner-process.ts SETTINGS.json
import { readFileSync } from 'node:fs'
import { createSshRunner } from '@bridgehead/appliance/distributors/ssh/runner.ts'
import type { RunOrder } from '@bridgehead/appliance/distributors/ssh/runs.ts'
import { createConnect } from '@bridgehead/appliance/distributors/ssh/session.ts'
import { createOutbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'

export interface ProcessSettings {
  store: string
  port: number
  parallel: number
  privateKey: string
  host: { ip: Ipv4; hostKeys: string[] }
  orders: RunOrder[]
}

const settings: ProcessSettings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const store = openStore(settings.store)
const runner = createSshRunner({
  store,
  outbox: createOutbox(store.db, { clock: systemClock, newId }),
  log: createLog({ name: 'runner' }),
  clock: systemClock,
  connect: createConnect({ privateKey: settings.privateKey, clock: systemClock }),
  host: () => settings.host,
  port: settings.port,
  random: Math.random,
  parallel: settings.parallel,
})
await runner.start()
await store.write(() => settings.orders.forEach(runner.run))
setInterval(() => undefined, 1000) // until it is killed
