import type { Accelerator } from './accelerator.ts'
import { createMachine, type Firmware, type Machine } from './qemu.ts'
import type { Stack, StackSite } from './stack.ts'

let count = 0

/** A new machine with an empty disk at a site, not yet powered on. */
export function plugIn(
  stack: Pick<Stack, 'lab'>,
  site: Pick<StackSite, 'lab'>,
  options: { firmware: Firmware; accelerator: Accelerator; bridge?: string },
): Promise<Machine> {
  const number = ++count
  const tail = `${site.lab.index.toString(16).padStart(2, '0')}:00:${number.toString(16).padStart(2, '0')}`
  return createMachine({
    ...options,
    name: `machine${number}`,
    mac: `52:54:00:${tail}`,
    uuid: `b51d6e4d-0000-4000-8000-0000${tail.replaceAll(':', '')}${'00'}`,
    lan: site.lab.lan,
    directory: stack.lab.directory,
  })
}
