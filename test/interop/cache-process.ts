// The artifact cache alone, to be killed by cache.test.ts: node cache-process.ts DIRECTORY URL SHA256 BYTES; says "started", then "ready".
import { join } from 'node:path'
import { createOutbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { createArtifactCache } from '@bridgehead/appliance/uplink/cache/cache.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'

const [directory = '', url = '', sha256 = '', bytes = '0'] = process.argv.slice(2)
const store = openStore(join(directory, 'store.sqlite'))
const cache = createArtifactCache({
  store,
  outbox: createOutbox(store.db, { clock: systemClock, newId }),
  clock: systemClock,
  log: silentLog,
  random: () => 0,
  directory: join(directory, 'artifacts'),
  source: () => ({ url, user: 'site', password: 'secret' }),
})
await cache.start()
cache.want([{ sha256, bytes: Number(bytes), name: 'disk.raw.zst' }])
process.stdout.write('started\n')
if (cache.path(sha256) === undefined) await cache.ensure(sha256)
process.stdout.write('ready\n')
await cache.stop()
store.close()
