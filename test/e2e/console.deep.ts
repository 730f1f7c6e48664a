import { beforeAll, expect, test } from 'vitest'
import { plugIn } from '../lab/machines.ts'
import { applied } from '../lab/stack.ts'
import { approveAndInstall, createConsoleRig, enrol, firstRun, picture, runOnPage } from './console-rig.ts'
import { createRig, type Rig } from './rig.ts'

let machines: Rig
beforeAll(async () => {
  machines = await createRig()
})

test('the first run in a browser with a real machine: it appears, is installed while its waterfall fills, and runs a script', async () => {
  const rig = await createConsoleRig({ bucket: machines.images.bucket })
  const { page } = rig
  try {
    const stack = await enrol(rig, await firstRun(rig), machines.images.target)
    const [site] = stack.sites
    if (!site) throw new Error('the stack has no site')
    await page.getByText('This site has its appliance').waitFor({ timeout: 60_000 })
    const loaded = await page.evaluate(() => performance.timeOrigin)

    const machine = await plugIn(stack, site, { firmware: 'bios', accelerator: machines.speed })
    await page.getByRole('link', { name: 'Hosts', exact: true }).click()
    await machine.powerOn()
    await page.getByText('waits for approval').waitFor({ timeout: 120_000 })
    const name = (await page.getByRole('table', { name: 'Machines' }).getByRole('link').first().textContent()) ?? ''
    await approveAndInstall(page, name)
    await applied(stack.api, site)
    await machine.reset()

    const stage = (word: string) => page.getByRole('table', { name: 'Boot timeline' }).getByRole('row').filter({ hasText: word }).first()
    for (const word of ['script', 'kernel', 'initrd', 'image']) await stage(word).waitFor({ timeout: 240_000 })
    await page.getByText('ready', { exact: true }).waitFor({ timeout: 300_000 })
    await runOnPage(page, 'hostname', name)
    expect(await page.evaluate(() => performance.timeOrigin), 'the page was loaded once').toBe(loaded)
    expect(rig.errors).toEqual([])
    await picture(page, 'host', new URL(page.url()).pathname)
    await picture(page, 'overview', '/')
    await picture(page, 'site', `/sites/${site.id}`, 'dark')
  } finally {
    await rig.close()
  }
})
