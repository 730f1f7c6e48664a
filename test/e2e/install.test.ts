import { beforeAll, expect, test } from 'vitest'
import { allEvents, countsOf } from '../lab/events.ts'
import { runScript } from '../lab/follow.ts'
import { restart } from './reboots.ts'
import { createRig, installMachine, type Rig, withStack } from './rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

test('a bare machine is discovered, approved by a rule, installed and reached by SSH; then it boots its own disk three times', async () => {
  await withStack({ sites: 1, bucket: rig.images.bucket, target: rig.images.target }, async (stack) => {
    const { machine, story, host } = await installMachine(stack, rig, 'bios')
    expect(story.name).toBe('host-010001')

    const [run] = await runScript(stack.api, { text: 'hostname; id -un; exit 3', selector: 'lab=yes' })
    expect(run).toMatchObject({ host, state: 'finished', exitCode: 3, stdout: 'host-010001\nroot\n' })

    for (const how of ['command', 'button', 'button'] as const) await restart(stack, machine, host, how)

    expect(countsOf(await allEvents(stack.api), host)).toMatchObject({
      'host.discovered': 1,
      'host.approved': 1,
      'intent.started': 1,
      'intent.done': 1,
      'host.phone-home': 1,
      'boot.stage script install': 1,
      'boot.stage script local-disk': 4, // the first boot of the new system, and three restarts
      'boot.stage installed': 1,
    })
    expect(machine.resets).toBeGreaterThanOrEqual(4)
  })
})
