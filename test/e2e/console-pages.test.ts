import { putTestImage } from '@bridgehead/manager/appliances/test-image.ts'
import { newBox } from '@bridgehead/manager/harness.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { openBrowser, type Page, violations } from '../lab/browser.ts'
import { type ConsoleServer, startConsole } from '../lab/console.ts'
import { picture } from './console-rig.ts'

const Id = z.object({ id: z.string() })
let server: ConsoleServer
let browser: Awaited<ReturnType<typeof openBrowser>>
let page: Page
const site: Record<string, string> = {}

beforeAll(async () => {
  server = await startConsole({ live: true })
  browser = await openBrowser()
  page = await browser.context.newPage()
  await server.signIn(page)
  for (const name of ['berlin', 'bremen', 'kiel']) site[name] = await siteWithBox(name, name === 'berlin' ? { ring: 'canary' } : {})
})
beforeEach(() => void browser.errors.splice(0))
afterAll(async () => {
  await browser.close()
  await server.close()
})

async function siteWithBox(name: string, tags: object): Promise<string> {
  const lans = [{ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'serve' }]
  const { id } = await server.send('POST', '/sites', { name, tags, lans }, Id)
  const { config } = await server.send('POST', `/sites/${id}/tokens`, {}, z.object({ config: z.object({ token: z.string() }) }))
  await server.whole.ask(null, 'POST', '/enrol', await newBox(name).request(config.token))
  await started(id, '1.0.0', 'A')
  return id
}
async function started(id: string, image: string, slot: 'A' | 'B'): Promise<void> {
  const { manager, fact } = server.whole.harness
  const data = { version: image, sshPublicKey: 'ssh-ed25519 AAAA', board: 'x86_64', slot, image, tries: 1, dataState: 'ok' as const }
  await manager.ingest(id, [fact('appliance.started', data)])
}
async function update(id: string, data: EventData<'appliance.update'>): Promise<void> {
  const { manager, fact } = server.whole.harness
  await manager.ingest(id, [fact('appliance.update', data)])
}
/** Axe finds nothing in either theme, and the page said no error. */
async function isSound(): Promise<void> {
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.waitForTimeout(400) // colours change slowly
    found.push(...(await violations(page)))
  }
  expect([found, browser.errors]).toEqual([[], []])
}

test('an image is built: its log comes line by line, also after a lost connection, and then it can be released', async () => {
  const { jobs, bucket } = server.whole
  await page.goto(`${server.url}/sites/${site.kiel}?tab=enrol`)
  await page.getByRole('button', { name: 'Build it now' }).click() // the catalogue is empty: enrolment leads to the build
  const log = page.getByRole('log', { name: 'Log' })
  await expect.poll(() => jobs.all.size).toBe(1)
  const [hash = ''] = jobs.all.keys()
  jobs.set(hash, { state: 'active', fraction: 0.1, text: 'unpacking 212 packages' })
  jobs.log(hash, 'first line')
  await log.getByText('first line').waitFor()
  await page.getByText('unpacking 212 packages').waitFor()

  await server.listener.stop()
  await page.getByText('connection lost').waitFor()
  jobs.log(hash, 'while nobody could hear')
  await server.listener.start()
  await log.getByText('while nobody could hear').waitFor({ timeout: 20_000 })
  expect((await log.textContent())?.match(/first line/g)).toHaveLength(1)
  await isSoundBesides(/ERR_/)

  await page.goto(`${server.url}/updates?tab=images`)
  await log.getByText('while nobody could hear').waitFor() // whoever comes later has the lines before, too
  const { manifest } = await putTestImage(bucket, { version: '1.1.0', hash })
  await bucket.putDocument(`appliance-images/${hash}.json`, manifest)
  jobs.set(hash, { state: 'completed' })
  await page.getByRole('button', { name: 'Make a release of 1.1.0 for PC (x86_64)' }).click()
  const components = await page.request.get(`${server.url}/api/v1/appliance-images/${hash}/files/sbom`, { maxRedirects: 0 })
  expect(components.status()).toBe(302)
  await page.getByRole('textbox', { name: 'For boxes from version' }).fill('one')
  await page.getByRole('button', { name: 'Make the release' }).click()
  await page.getByText('expected a version such as 1.2.3').waitFor() // at its field
  await page.getByRole('textbox', { name: 'For boxes from version' }).fill('1.0.0')
  await page.getByRole('button', { name: 'Make the release' }).click()
  await page.getByRole('heading', { name: 'New rollout' }).waitFor()
})

/** The browser itself says that a connection was refused; that one is part of the story. */
async function isSoundBesides(expected: RegExp): Promise<void> {
  const errors = browser.errors.filter((line) => !expected.test(line))
  browser.errors.splice(0, browser.errors.length, ...errors)
  await isSound()
}

test('a rollout is ordered, fills while its sites report, and is stopped by its name', async () => {
  await page.goto(`${server.url}/updates/rollouts/new`)
  await page.getByText('Takes 3 of 3 sites with such a box: berlin, bremen and kiel.').waitFor()
  await page.getByRole('button', { name: 'Remove wave 1' }).click()
  await page.getByRole('button', { name: 'Add a wave' }).click()
  await page.getByRole('textbox', { name: 'Tags of wave 1' }).fill('ring=canary')
  await page.getByRole('group', { name: 'Wave 1' }).getByText('berlin', { exact: true }).waitFor()
  await page.getByText('Restart boxes in these hours only').click()
  await isSound()
  await page.getByText('Restart boxes in these hours only').click()
  await page.getByRole('textbox', { name: 'Stop after failed sites' }).fill('2')
  await page.getByRole('button', { name: 'Roll it out' }).click()
  await page.getByRole('heading', { name: 'Rollout of 1.1.0' }).waitFor()
  const loaded = await page.evaluate(() => performance.timeOrigin)

  const release = (await server.send('GET', '/releases', undefined, z.object({ items: z.array(Id) }))).items[0]?.id ?? ''
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
  await row('berlin').getByText('told; has not begun').waitFor()
  await update(site.berlin ?? '', { release, version: '1.1.0', phase: 'fetching', bytes: 1_048_576, total: 4_194_304 })
  await row('berlin').getByText('fetches it (1.0 MiB of 4.0 MiB)').waitFor()
  await started(site.berlin ?? '', '1.1.0', 'B')
  await update(site.berlin ?? '', { release, version: '1.1.0', phase: 'committed' })
  await row('berlin').getByText('1.1.0, slot B').waitFor() // what really runs
  await row('bremen').getByText('told; has not begun').waitFor()
  await update(site.bremen ?? '', { release, version: '1.1.0', phase: 'rolled-back', why: 'the uplink was not well' })
  await row('bremen').getByText('went back: the uplink was not well').waitFor()
  await page.getByRole('img', { name: '1 run it, 1 told, 1 failed' }).waitFor()
  await isSound()
  await picture(page, 'rollout')

  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('paused by acme').waitFor()
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByText('under way: wave').waitFor()
  await page.getByRole('button', { name: 'Stop ...' }).click()
  await page.getByText('kiel is called back before it switches.').waitFor() // what goes
  await page.getByLabel('Type 1.1.0 to confirm').fill('1.1.0')
  await page.getByRole('dialog').getByRole('button', { name: 'Stop rollout' }).click()
  await page.getByText('stopped by acme').waitFor()
  expect(await page.evaluate(() => performance.timeOrigin), 'the page was loaded once').toBe(loaded)
  for (const tab of ['rollouts', 'releases', 'images']) {
    await page.goto(`${server.url}/updates?tab=${tab}`)
    await page.getByRole('table').waitFor()
    await isSound()
    await picture(page, tab)
  }
})

test('media are made with a live log, and nothing asks again and again meanwhile', async () => {
  const { jobs } = server.whole
  const asked: string[] = []
  await page.goto(`${server.url}/media`)
  await page.getByText('A URL').click()
  await page.getByRole('textbox', { name: 'URL' }).fill('http://boot.example/start.ipxe')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByText('waits for its turn').waitFor()
  const media = await server.send('GET', '/media', undefined, z.object({ items: z.array(z.object({ hash: z.string() })) }))
  const hash = media.items[0]?.hash ?? ''
  page.on('request', (request) => asked.push(request.url()))
  for (let line = 1; line <= 40; line++) {
    jobs.set(hash, { state: 'active', fraction: line / 50, text: `object ${line}` })
    jobs.log(hash, `cc -c object${line}.c`)
    await page.waitForTimeout(50)
  }
  await page.getByRole('log', { name: 'Log' }).getByText('object40.c').waitFor()
  await page.getByText('80 %').waitFor()
  await picture(page, 'media')
  expect(asked).toEqual([])
  jobs.set(hash, { state: 'failed', error: 'object41.c:3:1: error: oops' })
  await page.getByText('object41.c:3:1: error: oops').waitFor()
  await isSound()
})

test('a profile is edited: the next version, what changed, and no silent overwrite', async () => {
  const target = { sha256: 'a'.repeat(64), bytes: 1, name: 'vmlinuz' }
  const body = { name: 'debian', targets: { x86_64: { kernel: target, initrd: { ...target, name: 'initrd' } } } }
  const { id } = await server.send('POST', '/profiles', body, Id)
  await server.send('POST', '/scripts', { name: 'welcome', kind: 'bash', text: 'true\n' }, Id)
  await page.goto(`${server.url}/profiles`)
  await page.getByRole('link', { name: 'debian' }).click()
  await page.getByRole('textbox', { name: "Kernel's command line for x86_64" }).fill('console=ttyS0')
  await page.getByRole('combobox', { name: 'Script after installation (bash)' }).click()
  await page.getByRole('option', { name: 'welcome' }).click()
  await page.getByRole('textbox', { name: 'Variables' }).fill('DISK=sda\nDISK=sdb')
  await page.getByRole('button', { name: 'Save version 2' }).click()
  await page.getByText('line 2: "DISK" is there already').waitFor()
  await page.getByRole('textbox', { name: 'Variables' }).fill('DISK=sda')
  await page.getByRole('button', { name: 'Save version 2' }).click()
  await page.getByText('Version 2 is saved').waitFor()

  await page.getByRole('textbox', { name: 'Variables' }).fill('DISK=nvme0n1')
  await server.send('PUT', `/profiles/${id}`, { ...body, vars: { DISK: 'vda' } }, Id) // another tab
  await page.getByRole('button', { name: 'Save version 3' }).click()
  await page.getByText('Version 3 was saved elsewhere').waitFor()
  await page.getByRole('cell', { name: 'vda' }).waitFor()
  await isSoundBesides(/409/)
  await page.getByRole('button', { name: 'Go on with mine' }).click()
  await page.getByRole('button', { name: 'Save version 4' }).click()
  await page.getByText('Version 4 is saved').waitFor()
  expect(await server.send('GET', `/profiles/${id}`, undefined, z.unknown())).toMatchObject({ version: 4, vars: { DISK: 'nvme0n1' } })

  await page.getByRole('tab', { name: 'Versions (4)' }).click()
  await page.getByRole('combobox', { name: /^What has changed/ }).click()
  await page.getByRole('option', { name: /^version 1,/ }).click()
  await page.getByRole('row', { name: 'Variable DISK none nvme0n1' }).waitFor()
  await isSound()
  await picture(page, 'profile')
  await page.getByRole('button', { name: 'Delete ...' }).click()
  await page.getByText('All its 4 versions go').waitFor()
  await page.getByLabel('Type debian to confirm').fill('debian')
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('No profile yet').waitFor()
})
