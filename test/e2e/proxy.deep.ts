import { formatMs } from '@bridgehead/shared/text/format.ts'
import { beforeAll, expect, test } from 'vitest'
import { runScript } from '../lab/follow.ts'
import { followInstall } from '../lab/install.ts'
import { plugIn } from '../lab/machines.ts'
import { restart } from './reboots.ts'
import { createRig, onlySite, type Rig, say, withStack } from './rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

for (const firmware of ['bios', 'uefi'] as const)
  test(`beside a foreign DHCP server (dnsmasq on the router), proxy mode installs a machine with ${firmware}`, async () => {
    await withStack(
      { sites: 1, bucket: rig.images.bucket, target: rig.images.target, mode: 'proxy', besideForeignDhcp: true },
      async (stack) => {
        const machine = await plugIn(stack, onlySite(stack), { firmware, accelerator: rig.speed })
        const since = await machine.powerOn()
        const story = await followInstall(stack.api, machine, { since })
        say(`${firmware} by proxy: power-on to ready ${formatMs(Date.now() - since)}`)
        const host = story.host ?? ''
        const [run] = await runScript(stack.api, { text: 'ip -4 route show default', hosts: [host] })
        expect(run?.stdout).toContain('default via 192.168.1.1')
        await restart(stack, machine, host, 'command')
      },
    )
  })
