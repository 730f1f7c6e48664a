import { runScript } from '../lab/follow.ts'
import type { Machine } from '../lab/qemu.ts'
import type { Stack } from '../lab/stack.ts'
import { formatMs } from '../lab/view/format.ts'
import { waitFor } from '../lab/wait.ts'
import { say } from './rig.ts'

/** The running kernel's own id, by a script over SSH; another one means that the machine has started anew. */
export async function bootId(stack: Stack, host: string): Promise<string> {
  const [run] = await runScript(stack.api, { text: 'cat /proc/sys/kernel/random/boot_id', hosts: [host] }, { ms: 240_000 })
  if (run?.exitCode !== 0) throw new Error(`boot id: ${run?.error ?? run?.stderr ?? 'no answer'}`)
  return (run.stdout ?? '').trim()
}

/** Restarts the machine, by its own word or by the reset button, and waits until its system answers again. */
export async function restart(stack: Stack, machine: Machine, host: string, how: 'command' | 'button'): Promise<void> {
  const before = await bootId(stack, host)
  const began = Date.now()
  if (how === 'button') await machine.reset()
  else await runScript(stack.api, { text: 'systemd-run --on-active=1 systemctl reboot', hosts: [host] })
  await waitFor('the machine to start anew', async () => ((await bootId(stack, host).catch(() => before)) === before ? undefined : true), {
    ms: 240_000,
    everyMs: 1000,
    details: () => `the serial port's last lines:\n${machine.serial.last(8)}`,
  })
  say(`restart by ${how}: ${formatMs(Date.now() - began)}`)
}
