// Our DNS server alone, for test/bench/dns.ts: node dns-server.ts CONFIG.json; says "listening" on stdout.
import { readFileSync } from 'node:fs'
import { createDnsServer } from '@bridgehead/appliance/distributors/dns/server.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { createLog } from '@bridgehead/shared/log.ts'

const dns = createDnsServer({ log: createLog({ name: 'bench', level: 'warn' }), clock: systemClock, forwarders: () => [] })
dns.apply(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')))
await dns.start()
process.stdout.write('listening\n')
process.once('SIGTERM', () => void dns.stop().then(() => process.exit(0)))
