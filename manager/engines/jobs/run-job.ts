import type { Clock } from '@bridgehead/shared/clock.ts'
import { DelayedError, type Job, UnrecoverableError } from 'bullmq'
import { encodeLine, lineIds } from './log-lines.ts'

export interface JobContext {
  readonly id: string
  /**
   * `fraction` 0..1. Cheap to call often: at most ten a second are passed on, unless the text changes. Neither this nor `log` ever throws:
   * a Redis that restarts, or that does not know its users yet, costs a line, not the work.
   */
  progress(fraction: number, text: string): Promise<void>
  log(line: string): Promise<void>
  /** Aborts when the job is cancelled, is lost to another process, or this one stops. Throw then (`signal.throwIfAborted()`); what was begun may be left. */
  readonly signal: AbortSignal
}

export type Handlers = ReadonlyMap<string, (data: unknown, context: JobContext) => Promise<void>>

/** Reason of a cancelled job's failure. */
export const CANCELLED = 'cancelled'
const PROGRESS_EVERY_MS = 100
const LINES_EVERY_MS = 100
/** A cancelled job learns it after at most this, wherever it runs. */
const CANCEL_LOOK_MS = 500

/** What a run needs of the queue. */
export interface RunDeps {
  handlers: Handlers
  /** This process stops: jobs go back to the queue. */
  stopping: { readonly now: boolean }
  /** Somebody, perhaps another process, wants this job to end. */
  cancelWanted(id: string): Promise<boolean>
  /** Aborts the signal of the job, with CANCELLED as its reason. */
  cancel(id: string): void
  /** Tells followers, in whatever process, that the job has new lines. */
  newLines(id: string): Promise<void>
  failed(error: unknown): void
  clock: Clock
}

/** Runs one job. Cancelled: it has ended. The process stops: it goes back to the queue. */
export async function runJob(
  job: Job,
  token: string | undefined,
  signal: AbortSignal = new AbortController().signal,
  { handlers, stopping, cancelWanted, cancel, newLines, failed, clock }: RunDeps,
): Promise<void> {
  const id = job.id ?? ''
  const run = handlers.get(job.name)
  if (!run) throw new UnrecoverableError(`this process has no job named "${job.name}"; is it of another version?`)
  if (await cancelWanted(id).catch(() => false)) throw new UnrecoverableError(CANCELLED) // asked for while a process that died had it
  let sent = { at: 0, text: '' }
  let telling = false
  const nextLine = lineIds(clock.now)
  const context: JobContext = {
    id,
    signal,
    async progress(fraction, text) {
      const now = clock.now()
      if (text === sent.text && now - sent.at < PROGRESS_EVERY_MS && fraction < 1) return
      sent = { at: now, text }
      await job.updateProgress({ fraction: Math.min(1, Math.max(0, fraction)), text }).catch(failed)
    },
    async log(line) {
      await job.log(encodeLine({ id: nextLine(), text: line })).catch(failed)
      if (telling) return
      telling = true
      clock.after(LINES_EVERY_MS, () => {
        telling = false
        newLines(id).catch(failed)
      })
    },
  }
  /** Not at once, or this very worker, about to close, would take it again. */
  const putBack = async () => {
    await job.moveToDelayed(clock.now() + 1_000, token)
    throw new DelayedError()
  }
  if (stopping.now) await putBack()
  const endLooking = clock.every(CANCEL_LOOK_MS, () => {
    cancelWanted(id).then((wanted) => wanted && cancel(id), failed)
  })
  try {
    await run(job.data, context)
  } catch (error) {
    if (!signal.aborted) throw error
    if (!stopping.now) throw new UnrecoverableError(CANCELLED)
    await putBack()
  } finally {
    endLooking()
  }
}
