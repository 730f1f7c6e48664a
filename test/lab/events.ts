import type { Api, ApiEvent } from './api.ts'

/** Every fact that the manager holds, in its own order. */
export async function allEvents(api: Api): Promise<ApiEvent[]> {
  const found: ApiEvent[] = []
  for await (const event of api.events({ signal: AbortSignal.timeout(60_000), follow: false })) found.push(event)
  return found
}

/** How many facts of each kind, or of each boot stage (`boot.stage script local-disk`), one host has. */
export function countsOf(events: readonly ApiEvent[], host: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const event of events) {
    if (event.host !== host) continue
    const name =
      event.kind === 'boot.stage'
        ? ['boot.stage', event.data.stage, event.data.detail].filter((part) => part !== undefined).join(' ')
        : event.kind
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
