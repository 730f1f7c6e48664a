import { formatMs } from '@bridgehead/shared/text/format.ts'
import type { StageEvent } from '@bridgehead/shared/text/timeline.ts'
import type { ApiEvent } from '../api.ts'

/** One fact: `text` for people (empty when it says nothing new to them), `fields` for programs. */
export interface Told {
  kind: string
  text: string
  fields: Record<string, unknown>
}

/** What one machine has gone through so far, as the manager tells it. */
export interface Story {
  /** The host's id, once it was discovered. */
  readonly host: string | undefined
  readonly status: string
  readonly name: string | undefined
  /** Stages by boot, oldest boot first. */
  readonly boots: readonly { boot: string; stages: readonly StageEvent[] }[]
  /** The last thing heard, in words, and when (epoch ms). */
  readonly last: { text: string; at: number }
  /** Takes a fact in; returns what a person wants to read of it, if anything. Facts of other machines give undefined. */
  take(event: ApiEvent): Told | undefined
}

/** Follows the machine with this MAC. `since`: epoch ms of power-on, zero of all times. */
export function createStory({ mac, since }: { mac: string; since: number }): Story {
  let host: string | undefined
  let status = 'unknown'
  let name: string | undefined
  let last = { text: 'power on', at: since }
  const boots: { boot: string; stages: StageEvent[] }[] = []

  function stage(event: ApiEvent, data: StageEvent & { boot: string }): string {
    let boot = boots.find((one) => one.boot === data.boot)
    if (!boot) {
      boot = { boot: data.boot, stages: [] }
      boots.push(boot)
    }
    const again = boot.stages.some((one) => one.stage === data.stage)
    boot.stages.push({ ...data, at: event.at })
    return again ? '' : `boot ${boots.indexOf(boot) + 1}: ${data.stage}${data.detail ? ` (${data.detail})` : ''}`
  }

  function words(event: ApiEvent): string {
    const { data } = event
    switch (event.kind) {
      case 'host.discovered':
        return 'discovered'
      case 'host.approved':
        name = String(data.name)
        return `approved as ${name}`
      case 'host.status':
        status = String(data.status)
        return `status ${status}${data.why === undefined ? '' : `: ${String(data.why)}`}`
      case 'intent.started':
        return `install begins (attempt ${String(data.attempt)})`
      case 'intent.done':
        return 'install done: from now on the answer is its own disk'
      case 'intent.failed':
        return `install failed: ${String(data.why)}`
      case 'host.phone-home':
        return `phones home from ${String(data.ip)} with ${Array.isArray(data.hostKeys) ? data.hostKeys.length : 0} host keys`
      case 'boot.stage':
        return stage(event, data as unknown as StageEvent & { boot: string })
      default:
        return ''
    }
  }

  return {
    get host() {
      return host
    },
    get status() {
      return status
    },
    get name() {
      return name
    },
    boots,
    get last() {
      return last
    },
    take(event) {
      if (event.kind === 'host.discovered' && macsOf(event.data).includes(mac)) host = event.host ?? undefined
      if (host === undefined || event.host !== host) return undefined
      const text = words(event)
      last = { text: text || `${event.kind} ${String(event.data.stage ?? '')}`.trim(), at: event.at }
      if (text === '' && event.kind !== 'boot.stage') return undefined
      return { kind: event.kind, text, fields: { at: event.at, sincePowerOnMs: event.at - since, ...event.data } }
    },
  }
}

/** `+12.3 s  discovered`. */
export function storyLine(text: string, ms: number): string {
  return `  ${`+${formatMs(ms)}`.padStart(14)}  ${text}`
}

function macsOf(data: Record<string, unknown>): string[] {
  const facts = data.facts as { macs?: string[] } | undefined
  return facts?.macs ?? []
}
