import type { Command } from '@bridgehead/shared/model/command.ts'
import type { SshRunner } from './runner.ts'

/** Hands an order of the manager to the runner: one run per host, or a run's end. Call it inside `store.write`; other orders, nothing. */
export function takeOrder(runner: Pick<SshRunner, 'run' | 'cancel'>, { id, order }: Command): void {
  if (order.kind === 'cancel-run') runner.cancel(order.run)
  if (order.kind !== 'run-script') return
  const { text, user, timeoutSeconds } = order
  for (const { run, host } of order.runs) runner.run({ run, command: id, host, user, text, timeoutMs: timeoutSeconds * 1000 })
}
