import { z } from 'zod'

/** Which machines may do a job: `default` in the manager, `build` and `package` wherever a worker says so. */
export const QUEUES = ['default', 'build', 'package'] as const
export type QueueName = (typeof QUEUES)[number]

/** Those that may be worked on by other machines. */
export const WORKER_QUEUES = ['build', 'package'] as const satisfies readonly QueueName[]

/** Begins every key of this folder. */
export const KEY_PREFIX = 'jobs'

/** BullMQ's name of a queue. The braces keep a queue's keys in one slot of a Redis Cluster. */
export const bullName = (queue: QueueName): string => `{${queue}}`

/** All keys of a queue, as a pattern for Redis users. Braces mean nothing in it. */
export const queueKeys = (queue: QueueName): string => `${KEY_PREFIX}:${bullName(queue)}:*`

/** Set while somebody wants this job to end, in whatever process it runs. */
export const cancelKey = (queue: QueueName, id: string): string => `${KEY_PREFIX}:${bullName(queue)}:${id}:cancel`

/** There while some process works on the queue; expires by itself. */
export const servedKey = (queue: QueueName): string => `${KEY_PREFIX}:${bullName(queue)}:served`

/** `build,package`, `all` or `none` -> queues that workers may have. */
export const QueueList = z.string().transform((text, context): readonly QueueName[] => {
  if (text === 'all') return WORKER_QUEUES
  if (text === 'none') return []
  const names = new Set<string>(text.split(',').map((name) => name.trim()))
  const known = WORKER_QUEUES.filter((queue) => names.has(queue))
  if (known.length === names.size) return known
  context.addIssue({ code: 'custom', message: `expected all, none, or some of ${WORKER_QUEUES.join(',')}` })
  return z.NEVER
})
