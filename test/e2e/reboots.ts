import { formatMs } from '@bridgehead/shared/text/format.ts'
import { allEvents, countsOf } from '../lab/events.ts'
import { runScript } from '../lab/follow.ts'
import type { Machine } from '../lab/qemu.ts'
import type { Stack } from '../lab/stack.ts'
import { waitFor } from '../lab/wait.ts'
import { say } from './rig.ts'

/**
 * Restarts the machine, by its own word or by the reset button. Waits until the site told it once more to boot its disk, and until the
 * system that then started (another kernel's boot id) answers by SSH.
 */
export async function restart(stack: Stack, machine: Machine, host: string, how: 'command' | 'button'): Promise<void> {
  const before = await bootId(stack, host)
  const told = await diskAnswers(stack, host)
  const began = Date.now()
  if (how === 'button') await machine.reset()
  else await runScript(stack.api, { text: 'systemd-run --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot', hosts: [host] })
  const details = () => `the serial port's last lines:\n${machine.serial.last(8)}`
  await waitFor('the answer to boot from disk', async () => ((await diskAnswers(stack, host)) > told ? true : undefined), {
    ms: 240_000,
    everyMs: 1000,
    details,
  })
  if ((await bootId(stack, host)) === before)
    throw new Error(`the machine asked for its boot, but the old system still answers; ${details()}`)
  say(`restart by ${how}: ${formatMs(Date.now() - began)}`)
}

/** The running kernel's own id, by a script over SSH; another one means that the machine has started anew. */
async function bootId(stack: Stack, host: string): Promise<string> {
  const [run] = await runScript(stack.api, { text: 'cat /proc/sys/kernel/random/boot_id', hosts: [host] }, { ms: 240_000 })
  if (run?.exitCode !== 0) throw new Error(`boot id: ${run?.error ?? run?.stderr ?? 'no answer'}`)
  return (run.stdout ?? '').trim()
}

async function diskAnswers(stack: Stack, host: string): Promise<number> {
  return countsOf(await allEvents(stack.api), host)['boot.stage script local-disk'] ?? 0
}
