// The DHCP distributor alone, as a process of its own: what interop tests kill and benches load.
// node dhcp-process.ts <store path> '<JSON: { lans, reservations?, files?, level?, probeMs?, ports? }>'
// Prints "ready" once the sockets are open; SIGUSR2 prints counters and leases as one JSON line.

import { createDhcpServer } from '@bridgehead/appliance/distributors/dhcp/server.ts'
import { createOutbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { Lan } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

const Settings = z.object({
  lans: z.array(Lan),
  reservations: z.record(z.string(), z.string()).default({}),
  /** By `<platform>/<stage>`, or `http`: what to load. */
  files: z.record(z.string(), z.string()).default({}),
  level: z.string().default('warn'),
  probeMs: z.int().default(0),
  ports: z.object({ dhcp: z.int(), pxe: z.int() }).default({ dhcp: 67, pxe: 4011 }),
})

const [path = ':memory:', json = '{}'] = process.argv.slice(2)
const settings = Settings.parse(JSON.parse(json))
const store = openStore(path)
const outbox = createOutbox(store.db, { clock: systemClock, newId })
const reserved = new Set(Object.values(settings.reservations))
const seen: string[] = []

const server = createDhcpServer({
  store,
  outbox,
  clock: systemClock,
  log: createLog({ name: 'dhcp', level: settings.level }),
  ports: settings.ports,
  probeMs: settings.probeMs,
  boot: {
    advise: (client, lan) => adviceFor(client, lan.address),
    saw: (client, _lan, stage, ip) =>
      void seen.push(`${client.mac} ${client.platform}/${client.stage}${client.http ? '/http' : ''} ${stage} ${ip ?? ''}`.trim()),
    reservation: (mac: Mac) => settings.reservations[mac] as Ipv4 | undefined,
    reserved: (ip) => reserved.has(ip),
  },
})
server.apply(settings.lans)
await server.start()
process.stdout.write('ready\n')
process.on('SIGUSR2', () => {
  const leases = settings.lans.flatMap(({ name }) => server.leases(name))
  process.stdout.write(
    `${JSON.stringify({ counters: server.counters(), leases, seen, events: outbox.peek(1000).map(({ event }) => JSON.parse(event)) })}\n`,
  )
})
process.on('SIGTERM', async () => {
  await server.stop()
  store.close()
  process.exit(0)
})

function adviceFor(client: BootClient, server: Ipv4): BootAdvice {
  const file = settings.files[client.http ? 'http' : `${client.platform}/${client.stage}`]
  return file === undefined ? { kind: 'silent', reasons: ['no file'] } : { kind: 'file', file, server, reasons: ['as told'] }
}
