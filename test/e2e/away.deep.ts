import { formatMs } from '@bridgehead/shared/text/format.ts'
import { beforeAll, expect, test } from 'vitest'
import { allEvents } from '../lab/events.ts'
import { runScript } from '../lab/follow.ts'
import { plugIn } from '../lab/machines.ts'
import { siteStore } from '../lab/site-store.ts'
import { waitFor } from '../lab/wait.ts'
import { createRig, installMachine, onlySite, type Rig, say, withStack } from './rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

test('with manager and Redis killed, a second machine is discovered, approved, installed and reachable; afterwards every fact is there once', async () => {
  await withStack({ sites: 1, bucket: rig.images.bucket, target: rig.images.target }, async (stack) => {
    const site = onlySite(stack)
    const store = siteStore(site.appliance.data)
    const first = await installMachine(stack, rig, 'bios')
    await first.machine.powerOff()

    await stack.manager.crash()
    const second = await plugIn(stack, site, { firmware: 'bios', accelerator: rig.speed })
    const began = Date.now()
    await second.powerOn()
    const details = () => `the serial port's last lines:\n${second.serial.last(10)}`
    const host = await waitFor(
      'the second machine to be ready at its site',
      () => {
        const known = store.hostByMac(second.mac)
        return known?.status === 'ready' ? known : undefined
      },
      { ms: 600_000, everyMs: 1000, details },
    )
    say(`without a manager: power-on to ready ${formatMs(Date.now() - began)}`)
    const banner = await site.lab.appliance.exec(['bash', '-c', `exec 3<>/dev/tcp/${host.ip}/22; head -n 1 <&3`], { timeoutMs: 20_000 })
    expect(banner.stdout).toMatch(/^SSH-2\.0-OpenSSH/)

    const restartedAt = Date.now()
    await stack.manager.start()
    const [run] = await runScript(stack.api, { text: 'echo here', hosts: [host.id] }, { ms: 120_000 })
    expect(run).toMatchObject({ exitCode: 0, stdout: 'here\n' })

    const facts = await waitFor(
      'the manager to hold what the site told: all of it, each once, and nothing else',
      async () => {
        const events = (await allEvents(stack.api)).filter((event) => event.site === site.id)
        const told = store.factIds()
        const either = new Set([...events.map((event) => event.id), ...told])
        return events.length === told.length && either.size === told.length ? events : undefined
      },
      { ms: 120_000, everyMs: 1000 },
    )
    const away = facts.filter((event) => event.host === host.id && event.at < restartedAt).map((event) => event.kind)
    for (const kind of ['host.discovered', 'host.approved', 'intent.started', 'intent.done', 'host.phone-home'])
      expect(away.filter((one) => one === kind)).toEqual([kind])
    say(`${facts.length} facts at the manager, each once; ${away.length} of them told while it was away`)
  })
})
