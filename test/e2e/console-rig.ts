import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { z } from 'zod'
import { createApi } from '../lab/api.ts'
import { createAppliance } from '../lab/appliance-process.ts'
import { openBrowser, type Page, tabTo } from '../lab/browser.ts'
import { createLab } from '../lab/lab.ts'
import { createManager } from '../lab/manager-process.ts'
import { LAN } from '../lab/site.ts'
import { applied, type Stack, type Target } from '../lab/stack.ts'
import { waitFor } from '../lab/wait.ts'
import { needRight } from './rig.ts'

export const PERSON = { name: 'Ada Lovelace', organisation: 'Acme', email: 'ada@example.com', password: 'correct horse battery' }
const Id = z.object({ id: z.string() })
const Config = z.record(z.string(), z.unknown())

/** A manager that nobody has set up yet, one site's network, and a browser before it. Its own bucket is empty; another may be given. */
export async function createConsoleRig({ bucket }: { bucket?: string } = {}) {
  await needRight()
  const lab = await createLab({ sites: 1, log: createLog({ name: 'lab', level: 'warn' }) })
  const manager = await createManager(lab, { bucket: bucket ?? join(lab.directory, 'bucket') })
  await manager.start()
  const file = join(manager.data, 'setup-link')
  const link = new URL(await waitFor('the set-up link', () => readFileSync(file, 'utf8').trim()))
  const browser = await openBrowser()
  const page = await browser.context.newPage()
  return {
    lab,
    manager,
    page,
    errors: browser.errors,
    /** The set-up link, as the browser reaches this manager. */
    link: `${manager.url}${link.pathname}${link.search}`,
    async close() {
      await browser.close()
      await lab.close()
    },
  }
}
export type ConsoleRig = Awaited<ReturnType<typeof createConsoleRig>>

/** The first run, by the keyboard alone: account, first site, enrolment file. Returns the site's bridgehead.json. */
export async function firstRun({ page, link }: ConsoleRig): Promise<Record<string, unknown>> {
  const type = async (name: string | RegExp, text: string) => {
    await tabTo(page, 'textbox', name)
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type(text)
  }
  const press = async (name: string | RegExp) => {
    await tabTo(page, 'button', name)
    await page.keyboard.press('Enter')
  }
  await page.goto(link)
  await type('Your name', PERSON.name)
  await type('Organisation', PERSON.organisation)
  await type('E-mail', PERSON.email)
  await page.keyboard.press('Tab')
  await page.keyboard.type(PERSON.password) // a password box has no role of its own
  await press('Make the account')

  await page.getByRole('heading', { name: 'Add a site' }).waitFor()
  await type('Name', 'site1') // the first of two
  await type('Network', LAN.subnet)
  await type("Appliance's address", LAN.appliance)
  await tabTo(page, 'radio', 'Proxy')
  await page.keyboard.press('ArrowRight')
  await type('Addresses from', LAN.from)
  await type(/^to$/, LAN.to)
  await type('Router', LAN.router)
  await press('Add the site')

  await page.waitForURL(/\/sites\/[0-9a-f-]{36}/)
  await page.getByText('Waiting for the appliance of site1').waitFor()
  await press('Make a one-time key')
  const config = await page.getByLabel('bridgehead.json').textContent()
  return Config.parse(JSON.parse(config ?? ''))
}

/** Starts the site's appliance with that file; what the console cannot be asked for yet is asked by an API key that a person makes. */
export async function enrol(rig: ConsoleRig, config: Record<string, unknown>, target: Target): Promise<Stack> {
  const { lab, manager, page } = rig
  const place = await startAppliance(rig, config)
  const made = await page.request.post(`${manager.url}/api/v1/api-keys`, { data: { name: 'test', scopes: ['admin'] } })
  const api = createApi({ url: manager.url, key: z.object({ key: z.string() }).parse(await made.json()).key })
  await api.send('POST', '/profiles', { name: 'debian', targets: { x86_64: target } }, Id)
  const { items } = await api.get('/sites', z.object({ items: z.array(Id.extend({ name: z.string() })) }))
  const site = items.find(({ name }) => name === 'site1')
  if (!site) throw new Error('the console made no site1')
  const stack: Stack = { lab, manager, api, sites: [{ ...site, ...place }], close: lab.close }
  for (const one of stack.sites) await applied(api, one)
  return stack
}

/** The appliance of the rig's one site, with its bridgehead.json. */
export async function startAppliance({ lab }: ConsoleRig, config: Record<string, unknown>) {
  const [place] = lab.sites
  if (!place) throw new Error('the lab has no site')
  const { main } = await buildAppliance({ outdir: join(lab.directory, 'appliance'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })
  const appliance = createAppliance(lab, { node: place.appliance, index: place.index, bundle: main, config })
  appliance.start()
  return { lab: place, appliance }
}

/** Approves the machine that the console shows as waiting, gives it the profile and wishes it installed. All by the pages. */
export async function approveAndInstall(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'Hosts', exact: true }).click()
  await page.getByRole('link', { name, exact: true }).click()
  await page.getByText('waits for approval').waitFor()
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByRole('tab', { name: 'Settings' }).click()
  await page.getByRole('combobox', { name: 'Profile' }).click()
  await page.getByRole('option', { name: 'debian' }).click()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: 'Install ...' }).click()
  await page.getByLabel(`Type ${name} to confirm`).fill(name)
  await page.getByRole('dialog').getByRole('button', { name: 'Install' }).click()
  await page.getByText('install at its next boot').waitFor()
}

/** Runs commands on the host whose page is open; resolves with what streamed in. */
export async function runOnPage(page: Page, text: string, expected: string): Promise<void> {
  await page.getByRole('tab', { name: 'Run a script' }).click()
  await page.getByRole('textbox', { name: 'Commands (bash)' }).fill(text)
  await page.getByRole('button', { name: /^Run on / }).click()
  await page.getByLabel('Output').filter({ hasText: expected }).waitFor({ timeout: 60_000 })
}

/** Takes a picture where the variable names a directory; it is looked at before it is committed. Without a path, of the page as it is. */
export async function picture(page: Page, name: string, path?: string, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
  const directory = process.env.BRIDGEHEAD_PICTURES
  if (directory === undefined) return
  await page.emulateMedia({ colorScheme })
  if (path !== undefined) await page.goto(new URL(path, page.url()).href)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForTimeout(1_500)
  await page.screenshot({ path: join(directory, `${name}.png`) })
}
