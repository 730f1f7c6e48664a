import type { Clock } from '@bridgehead/shared/clock.ts'
import { DelayedError, type Job, UnrecoverableError } from 'bullmq'

export interface JobContext {
  readonly id: string
  /** `fraction` 0..1. Cheap to call often: at most ten a second are passed on, unless the text changes. */
  progress(fraction: number, text: string): Promise<void>
  log(line: string): Promise<void>
  /** Aborts when the job is cancelled or the manager stops. Throw then (`signal.throwIfAborted()`); what was begun may be left. */
  readonly signal: AbortSignal
}

/** Reason of a cancelled job's failure. */
export const CANCELLED = 'cancelled'
const PROGRESS_EVERY_MS = 100

/** Runs one job. Cancelled: it has ended. The manager stops: it goes back to the queue. */
export async function runJob(
  job: Job,
  token: string | undefined,
  signal: AbortSignal = new AbortController().signal,
  {
    kinds,
    stopping,
    tell,
    clock,
  }: {
    kinds: ReadonlyMap<string, (data: unknown, context: JobContext) => Promise<void>>
    stopping: { readonly now: boolean }
    tell: (id: string) => void
    clock: Clock
  },
): Promise<void> {
  const id = job.id ?? ''
  const run = kinds.get(job.name)
  if (!run) throw new UnrecoverableError(`this manager has no job named "${job.name}"`)
  let sent = { at: 0, text: '' }
  const context: JobContext = {
    id,
    signal,
    async progress(fraction, text) {
      const now = clock.now()
      if (text === sent.text && now - sent.at < PROGRESS_EVERY_MS && fraction < 1) return
      sent = { at: now, text }
      await job.updateProgress({ fraction: Math.min(1, Math.max(0, fraction)), text })
    },
    async log(line) {
      await job.log(line)
      tell(id)
    },
  }
  /** Not at once, or this very worker, about to close, would take it again. */
  const putBack = async () => {
    await job.moveToDelayed(clock.now() + 1_000, token)
    throw new DelayedError()
  }
  if (stopping.now) await putBack()
  try {
    await run(job.data, context)
  } catch (error) {
    if (!signal.aborted) throw error
    if (!stopping.now) throw new UnrecoverableError(CANCELLED)
    await putBack()
  }
}
