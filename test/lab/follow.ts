import { z } from 'zod'
import type { Api, ApiEvent } from './api.ts'
import { WaitError, waitFor } from './wait.ts'

/** Hands every fact from the first on to `onEvent` until it returns true. Throws WaitError after `ms`, or after `quietMs` without any. */
export async function followUntil(
  api: Api,
  onEvent: (event: ApiEvent) => boolean,
  { ms, quietMs, why }: { ms: number; quietMs: number; why: (quietSeconds: number) => string },
): Promise<void> {
  const stop = new AbortController()
  const began = performance.now()
  let heard = began
  const watch = setInterval(() => {
    const now = performance.now()
    if (now - began > ms || now - heard > quietMs) stop.abort()
  }, 500)
  try {
    for await (const event of api.events({ signal: stop.signal })) {
      heard = performance.now()
      if (onEvent(event)) return
    }
  } finally {
    clearInterval(watch)
    stop.abort()
  }
  throw new WaitError(why((performance.now() - heard) / 1000))
}

const RunHost = z.object({
  host: z.string(),
  hostName: z.string().optional(),
  state: z.string(),
  exitCode: z.int().nullable().optional(),
  error: z.string().optional(),
  ms: z.number().optional(),
  stdout: z.string().optional(),
  stderr: z.string().optional(),
})
export type RunResult = z.infer<typeof RunHost>
const Run = z.object({ id: z.string(), done: z.boolean(), hosts: z.array(RunHost) })

/** Runs a bash script on hosts, by selector or by id, and waits for all of them. */
export async function runScript(
  api: Api,
  order: { text: string; selector?: string; hosts?: string[] },
  { ms = 60_000 } = {},
): Promise<RunResult[]> {
  const { id } = await api.send('POST', '/runs', order, Run)
  const done = await waitFor(
    'the script to end',
    async () => {
      const run = await api.get(`/runs/${id}`, Run)
      return run.done ? run : undefined
    },
    { ms, everyMs: 150 },
  )
  return done.hosts
}
