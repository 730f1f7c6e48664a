import { z } from 'zod'

/** Which machines may do a job: `default` in the manager, `build` and `package` wherever a worker says so. */
export const QUEUES = ['default', 'build', 'package'] as const
export type QueueName = (typeof QUEUES)[number]

/** Begins every key of this folder. */
export const KEY_PREFIX = 'jobs'

/** BullMQ's name of a queue. The braces keep a queue's keys in one slot of a Redis Cluster. */
export const bullName = (queue: QueueName): string => `{${queue}}`

/** All keys of a queue, as a pattern for Redis users. Braces mean nothing in it. */
export const queueKeys = (queue: QueueName): string => `${KEY_PREFIX}:${bullName(queue)}:*`

/** Set while somebody wants this job to end, in whatever process it runs. */
export const cancelKey = (queue: QueueName, id: string): string => `${KEY_PREFIX}:${bullName(queue)}:${id}:cancel`

/** `build,package`, `all` or `none` -> names. */
export const QueueList = z.string().transform((text, context): readonly QueueName[] => {
  if (text === 'all') return QUEUES
  if (text === 'none') return []
  const names = text.split(',').map((name) => name.trim())
  const known = QUEUES.filter((queue) => names.includes(queue))
  if (names.every((name) => QUEUES.some((queue) => queue === name))) return known
  context.addIssue({ code: 'custom', message: `expected all, none, or some of ${QUEUES.join(',')}` })
  return z.NEVER
})
