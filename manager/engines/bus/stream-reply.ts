import { z } from 'zod'

/** One delivered entry; without `event` when it was trimmed meanwhile, or is none of ours. */
export interface DeliveredEntry {
  streamId: string
  event?: string | undefined
}

const Entry = z.tuple([z.string(), z.array(z.string()).nullable()])
const Reply = z.array(z.tuple([z.string(), z.array(Entry)])).nullable()

/** Reads the answer of XREADGROUP (RESP2): `[[key, [[id, [field, value, ...] | nil], ...]], ...]` or nil. */
export function parseStreams(reply: unknown): { key: string; entries: DeliveredEntry[] }[] {
  return (Reply.parse(reply) ?? []).map(([key, entries]) => ({
    key,
    entries: entries.map(([streamId, fields]) => ({ streamId, event: fields === null ? undefined : fieldOf(fields, 'event') })),
  }))
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < fields.length; at += 2) if (fields[at] === name) return fields[at + 1]
  return undefined
}
