import type { Outbox } from '@bridgehead/appliance/store/outbox.ts'
import { type AnyEvent, parseEvent } from '@bridgehead/shared/model/event.ts'

/** The events of one run, oldest first. */
export function eventsOf(outbox: Outbox, run: string): AnyEvent[] {
  return outbox.peek(10_000).flatMap(({ event }) => {
    const parsed = parseEvent(JSON.parse(event))
    return parsed.known && 'run' in parsed.event.data && parsed.event.data.run === run ? [parsed.event] : []
  })
}

/** What a run told, in short. */
export function toldOf(outbox: Outbox, run: string) {
  const all = eventsOf(outbox, run)
  const text = (stream: string) =>
    all.flatMap((one) => (one.kind === 'run.output' && one.data.stream === stream ? [one.data.text] : [])).join('')
  const finished = all.flatMap((one) => (one.kind === 'run.finished' ? [one.data] : []))
  return {
    kinds: all.map((one) => one.kind),
    stdout: text('stdout'),
    stderr: text('stderr'),
    finished,
    exitCode: finished[0]?.exitCode,
    error: finished[0]?.error,
  }
}
