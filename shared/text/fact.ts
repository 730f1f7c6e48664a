import type { AnyEvent } from '../model/event.ts'
import { formatBytes, formatMs } from './format.ts'

/** What happened, in words: the same in every log, page and terminal. */
export function factWords({ kind, data }: Pick<AnyEvent, 'kind' | 'data'>): string {
  return words({ kind, data } as Words)
}
type Words = { [K in AnyEvent['kind']]: { kind: K; data: Extract<AnyEvent, { kind: K }>['data'] } }[AnyEvent['kind']]

function words({ kind, data }: Words): string {
  switch (kind) {
    case 'host.discovered':
      return `seen for the first time${data.lan === undefined ? '' : ` on lan ${data.lan}`} (${data.facts.macs.join(', ')})`
    case 'host.facts':
      return 'tells more of itself'
    case 'host.approved':
      return `approved as ${data.name}${data.profile === undefined ? '' : ', to be installed'}`
    case 'host.status':
      return `is ${data.status}${because(data.why)}`
    case 'host.phone-home':
      return `phones home from ${data.ip}`
    case 'intent.started':
      return `${data.kind} begins${data.attempt > 1 ? ` (attempt ${data.attempt})` : ''}`
    case 'intent.done':
      return `${data.kind} is done`
    case 'intent.failed':
      return `${data.kind} failed${because(data.why)}`
    case 'boot.stage':
      return `boots: ${data.stage}${data.detail === undefined ? '' : ` (${data.detail})`}${moved(data)}`
    case 'dhcp.lease':
      return `${data.ip} is leased to ${data.hostname ?? data.mac} on lan ${data.lan}`
    case 'dhcp.release':
      return `${data.ip} of ${data.mac} is free again (${data.why})`
    case 'dhcp.foreign-server':
      return `another DHCP server, ${data.server}, answers on lan ${data.lan}${data.blocked ? '; this site does not serve there' : ''}`
    case 'dhcp.pool-full':
      return `no address is left on lan ${data.lan} for ${data.mac}`
    case 'state.applied':
      return `applied revision ${data.revision}`
    case 'state.refused':
      return `refused ${data.revision === undefined ? 'its state' : `revision ${data.revision}`}${because(data.why)}`
    case 'artifact.ready':
      return `has ${data.name} (${formatBytes(data.bytes)} in ${formatMs(data.ms)})`
    case 'artifact.refused':
      return `refused ${data.name}${because(data.why)}`
    case 'script.render-failed':
      return `script ${data.script} does not render${because(data.why)}`
    case 'command.refused':
      return `refused an order${because(data.why)}`
    case 'run.started':
      return `runs a script at ${data.ip}`
    case 'run.output':
      return `${data.stream}: ${data.text.trimEnd().replaceAll('\n', ' ↵ ')}`
    case 'run.finished':
      return `${data.error === undefined ? `script ended with exit code ${data.exitCode ?? 'none'}` : `script failed: ${data.error}`} after ${formatMs(data.ms)}`
    case 'appliance.started':
      return `appliance started, version ${data.version}${data.rollback ? `, back from ${data.rollback.version}${because(data.rollback.why)}` : ''}`
    case 'appliance.data':
      return dataWords(data)
    case 'appliance.update':
      return `update to ${data.version}: ${data.phase}${because(data.why)}`
    case 'appliance.slot-repaired':
      return `system ${data.slot} was written anew${because(data.why)}`
  }
}

const because = (why: string | undefined) => (why === undefined ? '' : `: ${why}`)

function moved({ bytes, total, ms }: { bytes?: number | undefined; total?: number | undefined; ms?: number | undefined }): string {
  if (bytes === undefined) return ''
  const of = total !== undefined && bytes < total ? ` of ${formatBytes(total)}` : ''
  return `, ${formatBytes(bytes)}${of}${ms === undefined ? '' : ` in ${formatMs(ms)}`}`
}

function dataWords({ state, why, freeBytes }: Extract<Words, { kind: 'appliance.data' }>['data']): string {
  switch (state) {
    case 'ok':
      return 'keeps what happens on its disk'
    case 'full':
      return `its data partition is nearly full${freeBytes === undefined ? '' : ` (${formatBytes(freeBytes)} free)`}${because(why)}`
    case 'memory':
      return `keeps what happens in memory only, until it is switched off${because(why)}`
  }
}
