// The network of a flashed box alone, as a process of its own in a namespace.
// node box-network-process.ts <directory> ; reads JSON lines {config?, lans?, wait?} from standard input, prints its status at each change.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createNetwork } from '@bridgehead/appliance/system/network/network.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { Lan } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

const [directory = ''] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })
const resolvConf = join(directory, 'resolv.conf')
writeFileSync(resolvConf, '')
let config: ApplianceConfig = {}
let preferred: string | undefined
const network = createNetwork({
  config: () => config,
  memory: {
    load: () => preferred,
    save: (name) => {
      preferred = name
    },
  },
  clock: systemClock,
  log: createLog({ name: 'network', level: process.env.BRIDGEHEAD_LOG ?? 'warn' }),
  ahead: join(directory, 'ahead'),
  directory,
  resolvConf,
  expectLans: false,
})
network.onChange(() => process.stdout.write(`status ${JSON.stringify(network.status())}\n`))
await network.start()
process.stdout.write('ready\n')

const Order = z.object({ config: ApplianceConfig.optional(), lans: z.array(Lan).default([]) })
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = Order.parse(JSON.parse(line))
  config = order.config ?? config
  void network.applyLans(order.lans)
})
process.once('SIGTERM', () => void network.stop().then(() => process.exit(0)))
