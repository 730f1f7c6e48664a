import type { Job } from 'bullmq'
import { z } from 'zod'
import { decodeLine } from './log-lines.ts'
import type { QueueName } from './queues.ts'
import { CANCELLED } from './run-job.ts'

export type JobState = 'waiting' | 'active' | 'completed' | 'failed' | 'cancelled'
export interface JobStatus {
  id: string
  name: string
  queue?: QueueName | undefined
  state: JobState
  /** 0..1. */
  fraction: number
  /** What it does now, for people. */
  text: string
  /** The last lines of its log; empty in `list`. */
  lines: string[]
  /** The id of the newest of them. */
  lastLine?: number | undefined
  /** Why it failed. */
  error?: string | undefined
  /** Epoch ms. */
  createdAt: number
  startedAt?: number | undefined
  finishedAt?: number | undefined
}

export const STATES: readonly JobState[] = ['waiting', 'active', 'completed', 'failed', 'cancelled']

const TYPES = {
  waiting: ['waiting', 'delayed', 'prioritized'],
  active: ['active'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: ['failed'],
} as const

/** BullMQ's words for these states. */
export const typesOf = (states: readonly JobState[]) => [...new Set(states.flatMap((state) => TYPES[state]))]

const Progress = z.object({ fraction: z.number(), text: z.string() }).catch({ fraction: 0, text: '' })

/** `type`: BullMQ's word for the job's state. `lines`: as they lie in Redis. `unserved`: why nobody takes it while it waits. */
export function statusOf(job: Job, queue: QueueName, type: string, lines: string[], unserved?: string): JobStatus {
  const cancelled = type === 'failed' && job.failedReason === CANCELLED
  const { fraction, text } = Progress.parse(job.progress)
  const log = lines.map(decodeLine)
  const state = cancelled ? 'cancelled' : type === 'active' || type === 'completed' || type === 'failed' ? type : 'waiting'
  return {
    id: job.id ?? '',
    name: job.name,
    queue,
    state,
    fraction: type === 'completed' ? 1 : fraction,
    text: (state === 'waiting' ? unserved : undefined) ?? text,
    lines: log.map((line) => line.text),
    lastLine: log.at(-1)?.id,
    error: type === 'failed' && !cancelled ? reasonOf(job) : undefined,
    createdAt: job.timestamp,
    startedAt: job.processedOn,
    finishedAt: job.finishedOn,
  }
}

function reasonOf(job: Job): string {
  if (!/stalled more than/.test(job.failedReason)) return job.failedReason
  return 'each process that ran this job died of something or lost Redis, again and again; look for memory or disk that ran out'
}
