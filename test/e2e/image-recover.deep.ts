import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { beforeAll, expect, test } from 'vitest'
import { personalise } from '../lab/box/disk.ts'
import { applianceImage } from '../lab/box/images.ts'
import type { LabNode } from '../lab/node.ts'
import { awaitFact, enrolledBox, withHome } from './image-rig.ts'
import { say } from './rig.ts'

let image: string
beforeAll(async () => {
  image = (await applianceImage({ board: 'x86_64' })).image
})

test('a dead box is replaced: new machine, new card, the same site, and everybody keeps the address', async () => {
  await withHome('two-cards', async (home) => {
    const dead = await enrolledBox(home, { board: 'bios-ahci', image })
    const guests = [await home.guest('first'), await home.guest('second')]
    const had = [await lease(guests[0]), await lease(guests[1])]
    expect(new Set(had).size).toBe(2)
    for (const ip of had)
      await awaitFact(home.api, `the lease of ${ip}`, (event) => event.kind === 'dhcp.lease' && event.data.ip === ip, 60_000)
    await dead.cutPower()

    const since = Date.now()
    await enrolledBox(home, { board: 'bios-ahci', image })
    const [second, first] = [await lease(guests[1]), await lease(guests[0])] // in the other order: a box that forgot would swap them
    say(`replaced: from power-on to both leases confirmed ${formatMs(Date.now() - since)}`)
    expect([first, second]).toEqual(had)
  })
})

test('the stick of a flashed image installs itself to the internal disk, and the box lives on there', async () => {
  await withHome('one-card', async (home) => {
    const internal = join(home.lab.directory, 'internal.img')
    await writeFile(internal, '')
    await truncate(internal, 2 * 2 ** 30)
    const box = await home.box({ board: 'bios-usb-512', image, internal })
    await personalise(box.card, { ...(await home.config()), install: 'auto' })
    await box.powerOn()
    await box.waitForLine(/remove|pull/i, 300_000, 0)
    await box.pullStick()
    const since = Date.now()
    await box.reset()
    const { version } = await home.online(240_000, box, since)
    say(`installed to the internal disk, version ${version}`)
    await box.cutPower()
  })
})

/** The address that busybox's client gets; it gives nothing back. */
async function lease(guest: LabNode | undefined): Promise<string> {
  const { stderr, stdout } = (await guest?.exec(['busybox', 'udhcpc', '-f', '-n', '-q', '-i', 'eth0', '-s', '/bin/true'])) ?? {}
  const found = /lease of (\S+) obtained/.exec(`${stdout}\n${stderr}`)?.[1]
  if (found === undefined) throw new Error(`no lease: ${stderr}`)
  return found
}
