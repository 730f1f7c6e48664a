import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { Command } from 'commander'
import { workerUserRules } from '../engines/bus/worker-user.ts'
import { QueueList, type QueueName, queueKeys, WORKER_QUEUES } from '../engines/jobs/queues.ts'
import { readWorkerConfig } from '../worker-config.ts'
import { checked, whole } from './options.ts'
import { plainLines } from './plain-lines.ts'

/** A supervisor waits longer than this before it kills. */
const STOP_MS = 15_000

/** What an installation can do besides asking a manager: work for one. */
export function addWorkerCommands(program: Command): void {
  program
    .command('worker')
    .description('builds loaders and packages media for a manager, on any machine that reaches its Redis and its bucket')
    .option('--queues <names>', `which jobs, of ${WORKER_QUEUES.join(',')}`, checked(QueueList), [...WORKER_QUEUES])
    .option('--concurrency <number>', 'jobs at a time, of each queue', whole(1, 64), 1)
    .option('--json', 'log one JSON object a line, as the manager does')
    .addHelpText(
      'after',
      `
Environment:
  REDIS_URL          redis://worker:PASSWORD@host:6390; left out: the manager's own Redis on this machine
  S3_URL             https://host/bucket[/prefix], with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  BRIDGEHEAD_BUCKET  the bucket's directory, where it is not on S3
  BRIDGEHEAD_DATA    work/ in it keeps sources and warm trees (.bridgehead/worker; without REDIS_URL: .bridgehead/manager)
  BRIDGEHEAD_LOG     debug, info, warn, error or silent`,
    )
    .action(work)

  program
    .command('worker-user')
    .description("prints the ACL SETUSER line that makes the workers' user on a Redis of your own; its password comes on standard input")
    .action(async () => {
      const password = (await text(process.stdin)).trimEnd()
      if (password.length < 16) throw new Error('standard input: expected a password of at least 16 characters')
      const rules = workerUserRules(createHash('sha256').update(password).digest('hex'), {
        keys: WORKER_QUEUES.map(queueKeys),
        clientSetInfo: false, // Redis 7.0 does not know it, and would refuse the whole line
      })
      process.stdout.write(`ACL SETUSER ${rules.join(' ')}\n`)
    })
}

async function work({ queues, concurrency, json }: { queues: readonly QueueName[]; concurrency: number; json?: true }): Promise<void> {
  if (queues.length === 0) throw new Error('--queues: expected at least one queue')
  const config = readWorkerConfig(process.env)
  const stream = json ? process.stderr : { write: (line: string) => void process.stderr.write(plainLines(line)) }
  const log = createLog({ name: 'worker', level: config.log, stream })
  const { createWorker } = await import('../worker.ts') // here, because all other commands do without its engines
  const worker = createWorker(config, { queues, concurrency, log, clock: systemClock })
  await worker.start()

  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) process.exit(1) // asked twice
    stopping = true
    log.info('worker.stopping', { signal })
    setTimeout(() => {
      log.error('worker.stop_forced', { afterMs: STOP_MS })
      process.exit(1) // its jobs run again elsewhere
    }, STOP_MS).unref()
    await worker.stop()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))
}
