import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, expect, test } from 'vitest'
import { violations } from '../lab/browser.ts'
import { installLightHost, lightTarget } from '../lab/light-host.ts'
import { applied } from '../lab/stack.ts'
import { approveAndInstall, createConsoleRig, enrol, firstRun, runOnPage } from './console-rig.ts'

const directory = mkdtempSync(join(tmpdir(), 'bridgehead-console-'))
afterAll(() => rmSync(directory, { recursive: true }))

const MAC = '52:54:00:aa:00:01'
const PAGES = [
  '/',
  '/sites',
  '/sites/new',
  '/hosts',
  '/runs',
  '/scripts',
  '/profiles',
  '/media',
  '/updates',
  '/updates?tab=images',
  '/updates/rollouts/new',
  '/keys',
  '/members',
  '/audit',
  '/signin',
]

test('the first run in a browser: account, site, enrolment, a machine approved, installed, and a script on it, without one reload', async () => {
  const bucketDirectory = join(directory, 'bucket')
  const bucket = testBucket(bucketDirectory, systemClock)
  const target = await lightTarget(async (text, name) => {
    const { sha256 } = await bucket.put(Buffer.from(text), { name })
    return { sha256, bytes: Buffer.byteLength(text), name }
  })
  const rig = await createConsoleRig({ bucket: bucketDirectory })
  const { page } = rig
  try {
    const config = await firstRun(rig)
    const loaded = await page.evaluate(() => performance.timeOrigin)
    const stack = await enrol(rig, config, target)
    await page.getByText('This site has its appliance').waitFor({ timeout: 30_000 })

    const [site] = stack.sites
    const node = await site?.lab.host('box', { address: '192.168.1.50', mac: MAC })
    if (!site || !node) throw new Error('the lab has no site')
    await page.getByRole('link', { name: 'Hosts', exact: true }).click()
    await node.exec([
      'curl',
      '-sS',
      '-o',
      '/dev/null',
      `http://${site.lab.appliance.address}/boot/script?mac=${MAC}&platform=pcbios&arch=i386`,
    ])
    await page.getByText('waits for approval').waitFor()
    const name = (await page.getByRole('table', { name: 'Machines' }).getByRole('link').first().textContent()) ?? ''
    await approveAndInstall(page, name)
    await applied(stack.api, site)

    const stages = page.getByRole('table', { name: 'Boot timeline' }).getByRole('row')
    const before = await stages.count()
    await installLightHost(stack, site.lab, { name: 'box', address: '192.168.1.50', mac: MAC, node })
    await page.getByText('ready', { exact: true }).waitFor({ timeout: 30_000 })
    await expect.poll(() => stages.allTextContents()).toContainEqual(expect.stringContaining('phone-home'))
    expect(await stages.count()).toBeGreaterThan(before)
    await runOnPage(page, 'echo "I am $BRIDGEHEAD_MARK"', 'I am box.site1')
    expect(await page.evaluate(() => performance.timeOrigin), 'the page was loaded once').toBe(loaded)
    expect(rig.errors).toEqual([])

    const found: string[] = []
    const here = new URL(page.url()).pathname
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const path of [...PAGES, here, `/sites/${site.id}`, `/sites/${site.id}?tab=services`, `/sites/${site.id}?tab=settings`]) {
        await page.goto(`${rig.manager.url}${path}`)
        await page.getByRole('heading', { level: 1 }).waitFor()
        await page.waitForLoadState('networkidle').catch(() => undefined) // the stream of facts never ends
        found.push(...(await violations(page)))
      }
    }
    expect(found).toEqual([])
  } catch (error) {
    throw new Error(
      `${(error as Error).message}\non ${page.url()}:\n${await page.locator('body').textContent()}\n${rig.errors.join('\n')}`,
      {
        cause: error,
      },
    )
  } finally {
    await rig.close()
  }
})
