/** One stored fact, as the timeline needs it. */
export interface TimelineEvent {
  id: string
  at: number
  kind: string
  boot: string | null
  data: Record<string, unknown>
}

export interface Stage {
  stage: string
  at: number
  /** Since the boot's first stage. */
  sinceMs: number
  bytes?: number
  total?: number
  ms?: number
  detail?: string
  reasons?: string[]
}
export interface Boot {
  boot: string
  startedAt: number
  endedAt: number
  stages: Stage[]
}

/** Stages grouped by boot, newest boot first; stages in the order in which they happened. Pure. */
export function groupBoots(events: readonly TimelineEvent[]): Boot[] {
  const boots = new Map<string, Boot>()
  const inOrder = [...events].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  for (const event of inOrder) {
    if (event.kind !== 'boot.stage' || event.boot === null) continue
    const boot = boots.get(event.boot) ?? { boot: event.boot, startedAt: event.at, endedAt: event.at, stages: [] }
    boots.set(event.boot, boot)
    const { stage, bytes, total, ms, detail, reasons } = event.data as Partial<Stage>
    boot.endedAt = event.at
    boot.stages.push({
      stage: stage ?? 'unknown',
      at: event.at,
      sinceMs: event.at - boot.startedAt,
      ...(bytes === undefined ? {} : { bytes }),
      ...(total === undefined ? {} : { total }),
      ...(ms === undefined ? {} : { ms }),
      ...(detail === undefined ? {} : { detail }),
      ...(reasons === undefined ? {} : { reasons }),
    })
  }
  return [...boots.values()].sort((a, b) => b.startedAt - a.startedAt)
}
