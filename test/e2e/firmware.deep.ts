import { beforeAll, expect, test } from 'vitest'
import { allEvents, countsOf } from '../lab/events.ts'
import { runScript } from '../lab/follow.ts'
import { restart } from './reboots.ts'
import { createRig, installMachine, type Rig, withStack } from './rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

for (const { firmware, words } of [
  { firmware: 'uefi', words: 'UEFI PXE' },
  { firmware: 'http', words: 'UEFI HTTP boot' },
] as const)
  test(`a bare machine with ${words} is installed, and boots its own disk three times by the server's answer`, async () => {
    await withStack({ sites: 1, bucket: rig.images.bucket, target: rig.images.target }, async (stack) => {
      const { machine, host } = await installMachine(stack, rig, firmware)
      const [run] = await runScript(stack.api, { text: 'test -d /sys/firmware/efi && echo efi', hosts: [host] })
      expect(run).toMatchObject({ exitCode: 0, stdout: 'efi\n' })
      for (const how of ['command', 'button', 'button'] as const) await restart(stack, machine, host, how)
      expect(countsOf(await allEvents(stack.api), host)).toMatchObject({
        'intent.started': 1,
        'intent.done': 1,
        'boot.stage script install': 1,
        'boot.stage script local-disk': 4,
      })
    })
  })
