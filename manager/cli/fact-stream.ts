import { type AnyEvent, parseEvent } from '@bridgehead/shared/model/event.ts'
import { z } from 'zod'
import type { Manager } from './api.ts'
import { openStream, QUIET_MS } from './streams.ts'
import type { World } from './world.ts'

/** A fact as the manager tells it; `event` is missing when it is newer than this command. */
export interface Fact {
  seq: number
  site: string
  at: number
  kind: string
  host: string | undefined
  event: AnyEvent | undefined
  /** As it came. */
  raw: unknown
}

const Told = z.looseObject({ seq: z.int(), site: z.string(), at: z.int(), kind: z.string(), host: z.string().nullable().optional() })

export interface FactQuery {
  site?: string | undefined
  host?: string | undefined
  /** Sequence number; without it, what comes from now on. */
  after?: number | undefined
  /** False: ends after what is there. */
  follow?: boolean
}

/** Facts as they come. Resolves once the manager listens, so that what is asked of it afterwards is heard. */
export async function openFacts(manager: Manager, world: World, query: FactQuery, signal: AbortSignal): Promise<AsyncGenerator<Fact>> {
  const { site, host, after, follow = true } = query
  const search = new URLSearchParams({ follow: String(follow) })
  for (const [name, value] of Object.entries({ site, host, after })) if (value !== undefined) search.set(name, String(value))
  const stream = await openStream(manager, `/events?${search}`, world, { signal, quietMs: QUIET_MS, once: !follow })
  return (async function* () {
    for await (const { data } of stream) yield factOf(JSON.parse(data))
  })()
}

/** The number of the newest fact. */
export async function newestSeq(manager: Manager): Promise<number> {
  const answer = await manager.fetch('/events?follow=false')
  return Number(/^id: (\d+)$/m.exec(await answer.text())?.[1] ?? 0)
}

export function factOf(raw: unknown): Fact {
  const { host, ...told } = Told.parse(raw)
  const { seq, site, at, kind } = told
  return { seq, site, at, kind, host: host ?? undefined, event: eventOf({ ...told, ...(host ? { host } : {}) }), raw }
}

/** Undefined for what this command is too old to read. */
function eventOf(told: unknown): AnyEvent | undefined {
  try {
    const parsed = parseEvent(told)
    return parsed.known ? parsed.event : undefined
  } catch (error) {
    if (error instanceof z.ZodError) return undefined
    throw error
  }
}
