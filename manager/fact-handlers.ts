import { type PrivateKey, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { FactHandlers } from './distributors/ingest.ts'
import type { Tx } from './engines/store/store.ts'
import * as facts from './registries/facts.ts'
import { failRuns, onRunFinished, onRunOutput, onRunStarted } from './scripts/runs.ts'
import { onApplianceUpdate, onDataState, onSlotRepaired } from './sites/box-facts.ts'
import { onApplianceStarted, onStateApplied, onStateRefused } from './sites/facts.ts'

/** Which category owns which kind of fact. Kinds that are not here are stored only. */
export function handlersOf(
  onBox: () => void,
  jwsOf: (tx: Tx, command: string) => Promise<string | undefined>,
  keys: readonly Omit<PrivateKey, 'd'>[],
): FactHandlers {
  return {
    'host.discovered': facts.onDiscovered,
    'host.facts': facts.onFacts,
    'host.approved': facts.onApproved,
    'host.status': facts.onStatus,
    'host.phone-home': facts.onPhoneHome,
    'intent.started': facts.onIntentStarted,
    'intent.done': facts.onIntentDone,
    'intent.failed': facts.onIntentFailed,
    'dhcp.lease': facts.onLease,
    'dhcp.release': facts.onRelease,
    'appliance.started': (tx, fact) => {
      onBox()
      return onApplianceStarted(tx, fact)
    },
    'appliance.update': (tx, fact) => {
      onBox()
      return onApplianceUpdate(tx, fact)
    },
    'appliance.data': onDataState,
    'appliance.slot-repaired': onSlotRepaired,
    'state.applied': onStateApplied,
    'state.refused': onStateRefused,
    'run.started': onRunStarted,
    'run.output': onRunOutput,
    'run.finished': onRunFinished,
    'command.refused': async (tx, { site, at, data }) => {
      const jws = await jwsOf(tx, data.command)
      const command =
        jws === undefined ? undefined : ((await verifyDocument('command', jws, keys)) as { order: { runs?: { run: string }[] } })
      await failRuns(
        tx,
        site,
        (command?.order.runs ?? []).map((one) => one.run),
        data.why,
        at,
      )
      return false
    },
  }
}
