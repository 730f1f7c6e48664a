/** `bridgehead worker` with the test's kind of job besides the product's; settings by the environment, as there. Argument: concurrency. */

import { registerJobs } from '@bridgehead/manager/register-jobs.ts'
import { createWorker } from '@bridgehead/manager/worker.ts'
import { readWorkerConfig } from '@bridgehead/manager/worker-config.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { defineCompile } from './compile-kind.ts'

const worker = createWorker(readWorkerConfig(process.env), {
  queues: ['build', 'package'],
  concurrency: Number(process.argv[2] ?? 1),
  log: createLog({ name: 'worker' }),
  register: (jobs, deps) => {
    registerJobs(jobs, deps)
    defineCompile(jobs, deps)
  },
})
await worker.start()
process.once('SIGTERM', () => void worker.stop().then(() => process.exit(0)))
