/** A manager that has nothing but its Redis, for tests that kill it: data directory and port as arguments. */
import { createRedis } from '@bridgehead/manager/engines/bus/redis.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { redisPid } from './kill-redis.ts'

const [directory = '', port = ''] = process.argv.slice(2)
const redis = createRedis({ directory, port: Number(port), bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
process.on('SIGTERM', async () => {
  await redis.stop()
  process.exit(0)
})
await redis.start()
const connection = redis.connect()
await connection.set('written-by', process.pid)
process.stdout.write(`ready ${await redisPid(connection)}\n`)
