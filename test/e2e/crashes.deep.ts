import { formatMs } from '@bridgehead/shared/text/format.ts'
import { beforeAll, expect, test } from 'vitest'
import { allEvents } from '../lab/events.ts'
import { runScript } from '../lab/follow.ts'
import { followInstall } from '../lab/install.ts'
import { plugIn } from '../lab/machines.ts'
import { type SiteLease, siteStore } from '../lab/site-store.ts'
import { createRig, onlySite, type Rig, say, withStack } from './rig.ts'

const KILLS = 5
/** The install lasts about as long without kills. */
const SPREAD_MS = 14_000

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

test('an appliance that is killed five times at random points in mid-install completes it; no lease is lost or given twice', async () => {
  await withStack({ sites: 1, bucket: rig.images.bucket, target: rig.images.target }, async (stack) => {
    const site = onlySite(stack)
    const store = siteStore(site.appliance.data)
    const machine = await plugIn(stack, site, { firmware: 'bios', accelerator: rig.speed })
    const since = await machine.powerOn()
    const seen: SiteLease[][] = []
    const kills = (async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(1000 + Math.random() * SPREAD_MS)
        await site.appliance.crash()
        say(`kill ${kill + 1} at ${formatMs(Date.now() - since)}: ${machine.serial.last(1).slice(0, 80)}`)
        seen.push(store.leases())
        site.appliance.start()
      }
    })()
    const story = await followInstall(stack.api, machine, { since })
    await kills
    say(`ready after ${formatMs(Date.now() - since)}`)
    const [run] = await runScript(stack.api, { text: 'hostname -I', hosts: [story.host ?? ''] }, { ms: 120_000 })
    expect(run?.exitCode).toBe(0)

    const events = (await allEvents(stack.api)).filter((event) => event.kind === 'dhcp.lease' && event.data.mac === machine.mac)
    const addresses = new Set([...events.map((event) => event.data.ip), ...seen.flat().map((lease) => lease.ip)])
    expect([...addresses]).toEqual([store.leases()[0]?.ip])
    expect(store.leases().map((lease) => lease.mac)).toEqual([machine.mac])
    expect(run?.stdout).toContain(String(store.leases()[0]?.ip))
  })
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
