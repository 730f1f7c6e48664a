/** A manager that has nothing but Redis and one job that never ends, for a test that kills it. Arguments: directory, port, job id. */
import { createRedis } from '@bridgehead/manager/engines/bus/redis.ts'
import { createJobs } from '@bridgehead/manager/engines/jobs/jobs.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { z } from 'zod'

const [directory = '', port = '', id = ''] = process.argv.slice(2)
const deps = { log: silentLog, clock: systemClock }
const redis = createRedis({ directory, port: Number(port), bind: ['127.0.0.1'], ...deps })
const jobs = createJobs({ redis, ...deps })
const kind = jobs.defineJob('endless', z.object({}), async () => {
  process.stdout.write('running\n')
  await new Promise(() => undefined)
})
await redis.start()
await jobs.start()
await jobs.enqueue(kind, {}, { id })
