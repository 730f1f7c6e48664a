import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Box } from '../lab/box/box.ts'
import { partition, personalise, writeAt } from '../lab/box/disk.ts'
import type { Home } from '../lab/box/home.ts'
import { applianceImage } from '../lab/box/images.ts'
import { withHome } from './image-rig.ts'

/** `UPDATE_PICTURES=1` puts the screens that this test sees into the folder from which the README shows them. */
const PICTURES = fileURLToPath(new URL('../../image/pictures/', import.meta.url))

test('a generic image shows a code; typed at the manager it makes the box the site’s', async () => {
  const { image } = await applianceImage({ board: 'x86_64' })
  await withHome('two-cards', async (home) => {
    const box = await home.box({ board: 'bios-ahci', image })
    const { token: _, ...generic } = await home.config()
    await personalise(box.card, generic)
    await box.powerOn()
    const code = /\b[A-Z0-9]{4}-?[A-Z0-9]{4}\b/.exec(await box.waitForLine(/code\W+[A-Z0-9]{4}-?[A-Z0-9]{4}\b/i, 240_000, 0))?.[0] ?? ''
    await picture(box, home, 'unclaimed')

    const wrong = home.api.send('POST', `/sites/${home.site.id}/claim`, { code: 'AAAA-BBBB' }, z.unknown())
    await expect(wrong).rejects.toThrow(/404/)
    await home.api.send('POST', `/sites/${home.site.id}/claim`, { code }, z.unknown())
    await home.online(120_000, box)
    await box.waitForLine(new RegExp(home.site.name), 30_000, 0)
    await picture(box, home, 'enrolled')
    await box.cutPower()

    for (const slot of ['slot-a', 'slot-b']) await writeAt(box.card, (await partition(box.card, slot)).offset, new Uint8Array(4096))
    const from = box.serial.lines.length
    await box.powerOn()
    await box.waitForLine(/both systems on this card are damaged/, 180_000, from)
    await picture(box, home, 'damaged')
    await box.cutPower()
  })
})

async function picture(box: Box, home: Home, name: string): Promise<void> {
  const file = join(home.lab.directory, `${name}.png`)
  await new Promise((resolve) => setTimeout(resolve, 2000)) // the screen is written after the serial port
  await box.screen(file)
  if (process.env.UPDATE_PICTURES !== '1') return
  await mkdir(PICTURES, { recursive: true })
  await copyFile(file, join(PICTURES, `${name}.png`))
}
