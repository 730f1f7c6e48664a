// Our HTTP and TFTP servers alone, for test/bench/http.ts: node boot-server.ts ADDRESS FILE; serves the one file under every name.
import { stat } from 'node:fs/promises'
import { createBootHttp } from '@bridgehead/appliance/distributors/pxe/http.ts'
import { createTftpServer } from '@bridgehead/appliance/distributors/pxe/tftp.ts'
import { tftpFileAt } from '@bridgehead/appliance/distributors/pxe/tftp-files.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'

const [address, path = ''] = process.argv.slice(2)
const { size } = await stat(path)
const log = createLog({ name: 'bench', level: 'warn' })
const file = { path, size, sha256: '0'.repeat(64) }
const http = createBootHttp({ clock: systemClock, log, port: 80, find: async () => file, routes: async () => undefined })
const tftp = createTftpServer({ clock: systemClock, log, port: 69, find: () => tftpFileAt(path) })
for (const server of [http, tftp]) {
  server.apply([Ipv4.parse(address)])
  await server.start()
}
process.once('SIGTERM', () => void Promise.all([http.stop(), tftp.stop()]).then(() => process.exit(0)))
