import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SCRIPT_CHARACTERS } from '@bridgehead/shared/model/script-text.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { type Api, LAB_EMAIL, LAB_PASSWORD } from '../lab/api.ts'
import type { Page } from '../lab/browser.ts'
import { addHosts } from '../lab/many-hosts.ts'
import { LAN } from '../lab/site.ts'
import { applied, type StackSite } from '../lab/stack.ts'
import { type ConsoleRig, createConsoleRig, startAppliance } from './console-rig.ts'

/** What goes wrong while somebody works: each test is one mishap, and nothing that was typed is lost in any. */
const directory = mkdtempSync(join(tmpdir(), 'bridgehead-mishaps-'))
const Script = z.object({ id: z.string(), version: z.int(), text: z.string() })
const Site = z.object({ id: z.string(), name: z.string() })
let rig: ConsoleRig
let api: Api
let site: StackSite
let page: Page

beforeAll(async () => {
  rig = await createConsoleRig({ bucket: join(directory, 'bucket') })
  api = await rig.manager.setUp()
  page = rig.page
  page.context().setDefaultTimeout(10_000)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await signIn()
  const lan = { name: 'lan', subnet: LAN.subnet, address: LAN.appliance, mode: 'serve', ranges: [{ from: LAN.from, to: LAN.to }] }
  const made = await api.send('POST', '/sites', { name: 'shop-1', lans: [lan] }, Site)
  const { config } = await api.send('POST', `/sites/${made.id}/tokens`, {}, z.object({ config: z.record(z.string(), z.unknown()) }))
  site = { ...made, ...(await startAppliance(rig, config)) }
  await applied(api, site)
})
afterAll(async () => {
  await rig.close()
  rmSync(directory, { recursive: true })
})

beforeEach(async () => void (await signIn()))
const signIn = () => page.request.post(`${rig.manager.url}/api/v1/session`, { data: { email: LAB_EMAIL, password: LAB_PASSWORD } })
/** As when it is too old, or was ended at another machine: the cookie stays, and is worth nothing. */
const endSession = async () => {
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
  const answer = await fetch(`${rig.manager.url}/api/v1/session/signout`, {
    method: 'POST',
    headers: { cookie, origin: rig.manager.url },
  })
  expect(answer.status).toBeLessThan(300)
}
const signInAgain = async () => {
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' })
  await dialog.getByLabel('E-mail').fill(LAB_EMAIL)
  await dialog.getByRole('textbox', { name: 'Password' }).fill(LAB_PASSWORD)
  await dialog.getByRole('button', { name: 'Sign in' }).click()
  await dialog.waitFor({ state: 'hidden' })
}
const newScript = (name: string, text: string) => api.send('POST', '/scripts', { name, kind: 'bash', text }, Script)
const open = async (path: string, on = page) => {
  await on.goto(`${rig.manager.url}${path}`)
  await on.getByRole('heading', { level: 1 }).waitFor()
}
const editor = (name: string, on = page) => on.getByRole('textbox', { name: `Text of ${name}` })
const textOf = async (name: string, on = page) => (await editor(name, on).locator('.cm-line').allTextContents()).join('\n')
const typeAtEnd = async (name: string, text: string, on = page) => {
  await editor(name, on).click()
  await on.keyboard.press('ControlOrMeta+End')
  await on.keyboard.type(text)
}
const paste = async (text: string) => {
  await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`)
  await page.keyboard.press('ControlOrMeta+V')
}
const save = (on = page) => on.getByRole('button', { name: /^Save/ })

test('a session that ends in mid-form asks for the password over the page; the form is as typed and saves', async () => {
  await open('/sites/new')
  await page.getByRole('textbox', { name: 'Name', exact: true }).first().fill('shop-2')
  await page.getByRole('textbox', { name: 'Network' }).fill('10.7.0.0/24')
  await page.getByRole('textbox', { name: "Appliance's address" }).fill('10.7.0.2')
  await endSession()
  await page.getByRole('button', { name: 'Add the site' }).click()
  await signInAgain()
  expect(await page.getByRole('textbox', { name: 'Network' }).inputValue()).toBe('10.7.0.0/24')
  await page.getByRole('button', { name: 'Add the site' }).click()
  await page.getByText('Waiting for the appliance of shop-2').waitFor()

  const { id } = await newScript('hello', 'echo one\n')
  await open(`/scripts/${id}`)
  await typeAtEnd('hello', 'echo two')
  await endSession()
  await save().click()
  await signInAgain()
  expect(await textOf('hello')).toBe('echo one\necho two')
  await save().click()
  await page.getByText('bash, version 2').waitFor()
  expect((await api.get(`/scripts/${id}`, Script)).text).toBe('echo one\necho two')
  await page.getByText('live', { exact: true }).waitFor()
})

test('a script that another tab saved first is shown beside mine; either can be taken, and neither is overwritten unseen', async () => {
  const { id } = await newScript('both', 'start\n')
  const other = await page.context().newPage()
  const theirs = async (text: string) => {
    await open(`/scripts/${id}`, other)
    await typeAtEnd('both', text, other)
    await save(other).click()
    await other.getByText(/changed here/).waitFor({ state: 'hidden' })
    await page.bringToFront()
  }
  await open(`/scripts/${id}`)
  await typeAtEnd('both', 'mine 1')
  await theirs('theirs 1')
  await save().click()
  const alert = page.getByRole('alert').filter({ hasText: 'Version 2 was saved elsewhere' })
  await alert.waitFor()
  expect(await alert.textContent()).toMatch(/theirs 1.*mine 1/s)
  await alert.getByRole('button', { name: 'Take theirs' }).click()
  await expect.poll(() => textOf('both')).toBe('start\ntheirs 1')

  await typeAtEnd('both', ', mine 2')
  await theirs(', theirs 2')
  await save().click()
  await page.getByRole('button', { name: 'Go on with mine' }).click()
  await page.getByRole('button', { name: 'Save version 4' }).click()
  await page.getByText('bash, version 4').waitFor()
  const texts = [2, 3, 4].map(async (version) => (await api.get(`/scripts/${id}?version=${version}`, Script)).text)
  expect(await Promise.all(texts)).toEqual(['start\ntheirs 1', 'start\ntheirs 1, theirs 2', 'start\ntheirs 1, mine 2'])
  await other.close()
})

test('settings of a site that another tab saved first are shown with mine; either can be taken', async () => {
  const { id } = await api.send('POST', '/sites', { name: 'shop-3', lans: [] }, Site)
  const field = page.getByRole('textbox', { name: 'Name', exact: true })
  const nameOf = async () => (await api.get(`/sites/${id}`, Site)).name
  const rename = async (mine: string, theirs: string) => {
    await open(`/sites/${id}?tab=settings`)
    await field.fill(mine)
    await api.send('PATCH', `/sites/${id}`, { name: theirs }, Site)
    await save().click()
    const alert = page.getByRole('alert').filter({ hasText: 'Somebody else saved this site first' })
    await alert.getByText(`name ${theirs}`).waitFor()
    await alert.getByText(`name ${mine}`).waitFor()
    expect(await nameOf()).toBe(theirs)
    return alert
  }
  await (await rename('mine-1', 'theirs-1')).getByRole('button', { name: 'Take theirs' }).click()
  expect(await field.inputValue()).toBe('theirs-1')
  await (await rename('mine-2', 'theirs-2')).getByRole('button', { name: 'Keep mine' }).click()
  await save().click()
  await page.getByText('Saved; the site has it within seconds.').waitFor()
  expect(await nameOf()).toBe('mine-2')
})

test('a site name that exists is refused at its field, for a new site and for a renamed one', async () => {
  await open('/sites/new')
  const field = page.getByRole('textbox', { name: 'Name', exact: true }).first()
  await field.fill('shop-1')
  await page.getByRole('button', { name: 'Add the site' }).click()
  await page.getByText('another site is named "shop-1"').waitFor()
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  const { id } = await api.send('POST', '/sites', { name: 'shop-4', lans: [] }, Site)
  await open(`/sites/${id}?tab=settings`)
  await field.fill('shop-1')
  await save().click()
  await page.getByText('another site is named "shop-1"').waitFor()
  expect(await field.inputValue()).toBe('shop-1')
})

test('a script of 1 MB: the limit is said at the field before it is sent, typing stays fluent, nothing is lost', async () => {
  const { id } = await newScript('large', 'begin\n')
  await open(`/scripts/${id}`)
  await editor('large').click()
  await page.keyboard.press('ControlOrMeta+End')
  const line = `${'x'.repeat(99)}\n`
  const large = line.repeat(10_000)
  await paste(large)
  await page.getByText('1,000,006 characters are too many; expected at most 262,144').waitFor()
  expect(await editor('large').getAttribute('aria-invalid')).toBe('true')
  expect(await save().isDisabled()).toBe(true)
  const began = performance.now()
  await page.keyboard.type('0123456789')
  await expect.poll(() => textOf('large')).toMatch(/0123456789$/)
  expect((performance.now() - began) / 10, 'ms a key, the browser driver included').toBeLessThan(100)
  await page.keyboard.press('ControlOrMeta+A')
  await paste(line.repeat(2_500))
  await page.getByText(/are too many/).waitFor({ state: 'hidden' })
  await save().click()
  await page.getByText('bash, version 2').waitFor()
  expect((await api.get(`/scripts/${id}`, Script)).text).toBe(line.repeat(2_500))

  const put = (body: string | ReadableStream) =>
    fetch(`${rig.manager.url}/api/v1/scripts/${id}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${api.key}`, 'content-type': 'application/json' },
      body,
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    }).then(async (answer) => z.object({ status: z.int(), errors: z.array(z.object({ field: z.string() })) }).parse(await answer.json()))
  const json = (text: string) => JSON.stringify({ name: 'large', kind: 'bash', text })
  expect(await put(json('x'.repeat(SCRIPT_CHARACTERS + 1)))).toMatchObject({ status: 400, errors: [{ field: 'text' }] })
  expect(await put(json(large.repeat(2)))).toMatchObject({ status: 413, errors: [{ field: 'body' }] })
  const chunked = new Blob([json(large.repeat(2))]).stream() // its length is told by nobody
  expect(await put(chunked)).toMatchObject({ status: 413, errors: [{ field: 'body' }] })
})

test('a manager that is killed and comes back: the page says so, heals without reload, and misses no fact', async () => {
  const watched = await page.context().newPage()
  await watched.addInitScript(`
    globalThis.seen = []
    const add = EventSource.prototype.addEventListener
    EventSource.prototype.addEventListener = function (kind, listener) {
      return add.call(this, kind, (event) => { globalThis.seen.push(Number(event.lastEventId)); listener(event) })
    }`)
  const resumed: string[] = []
  watched.on('request', (request) => {
    if (request.url().includes('/api/v1/events')) resumed.push(request.headers()['last-event-id'] ?? '')
  })
  await open('/hosts', watched)
  await watched.getByText('live', { exact: true }).waitFor()
  const began = await watched.evaluate<number>('performance.timeOrigin')
  const first = (await factIds()).at(-1) ?? 0
  const node = await site.lab.host('late', { address: '192.168.1.60', mac: '52:54:00:aa:00:60' })
  const boot = (mac: string) =>
    node.exec(['curl', '-sS', '-o', '/dev/null', `http://${site.lab.appliance.address}/boot/script?mac=${mac}&platform=pcbios&arch=i386`])
  await boot('52:54:00:aa:00:60')
  await watched.getByText('52:54:00:aa:00:60').waitFor()
  await rig.manager.crash()
  await watched.getByText('connection lost, trying again').waitFor()
  await boot('52:54:00:aa:00:61')
  await rig.manager.start()
  await watched.getByText('live', { exact: true }).waitFor({ timeout: 30_000 })
  await watched.getByText('52:54:00:aa:00:61').waitFor({ timeout: 30_000 })
  expect(await watched.evaluate('performance.timeOrigin'), 'the page was loaded once').toBe(began)
  const told = (await factIds()).filter((seq) => seq > first)
  await expect.poll(() => watched.evaluate<number[]>('globalThis.seen')).toEqual(told)
  expect(told.length).toBeGreaterThan(2)
  await watched.close()
})

/** Sequence numbers of every fact so far. */
async function factIds(): Promise<number[]> {
  const ids: number[] = []
  for await (const { seq } of api.events({ follow: false, signal: AbortSignal.timeout(10_000) })) ids.push(seq)
  return ids
}

test('the keyboard: the first Tab leads past the navigation, and a dialog gives the focus back to what opened it', async () => {
  const focused = () => page.evaluate<string>('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent')
  await open(`/sites/${site.id}?tab=enrol`)
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Skip to the page')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('More')
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Delete this site ...' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await expect.poll(focused).toBe('More')

  await open('/scripts')
  await page.getByRole('button', { name: 'New script' }).first().focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await expect.poll(() => page.evaluate<string>('document.activeElement.tagName')).toBe('INPUT')
  await page.keyboard.press('Escape')
  await expect.poll(focused).toBe('New script')
})

test('a list of 10,000 machines scrolls to its end and filters', async () => {
  await addHosts(join(rig.manager.data, 'manager.sqlite'), 10_000)
  await open('/hosts')
  const table = page.getByRole('table', { name: 'Machines' })
  await page.getByText(/^100\d\d machines shown/).waitFor({ timeout: 30_000 })
  await table.focus()
  await page.keyboard.press('End')
  await table.getByRole('link', { name: 'host-0', exact: true }).waitFor()
  expect(await table.getByRole('row').count()).toBeLessThan(100)
  await page.getByRole('textbox', { name: 'Filter by tags' }).fill('role=till,spare')
  await page.getByText('357 machines shown').waitFor()
  const asked: string[] = []
  page.on('request', (request) => void asked.push(new URL(request.url()).pathname))
  await table.focus()
  await page.keyboard.press('Home')
  await table.getByRole('link', { name: 'host-9989' }).click()
  await page.getByRole('heading', { level: 1, name: 'host-9989' }).waitFor()
  await page.getByRole('tab', { name: 'Settings' }).click()
  await page.getByRole('textbox', { name: 'Reserved address' }).waitFor()
  expect(asked.filter((path) => path === '/api/v1/hosts')).toEqual([])
})

test('a selector with a typo is marked where it stops making sense, at its field, and is not sent', async () => {
  for (const [path, label] of [
    ['/hosts', 'Filter by tags'],
    ['/runs', 'On which machines'],
    ['/keys', 'Sites'],
  ] as const) {
    await open(path)
    if (path === '/keys') await page.getByRole('button', { name: 'Add an SSH key' }).click()
    const field = page.getByRole('textbox', { name: label })
    await field.fill('role=edge, zone in b')
    const said = page.locator(`[id="${(await field.getAttribute('aria-describedby'))?.split(' ').find((id) => id.endsWith('-error'))}"]`)
    await said.getByText('at character 20').waitFor()
    expect(await said.locator('mark').textContent()).toBe('b')
  }
  const refused = await api.get('/hosts?selector=role%20in%20(edge', z.unknown()).catch(String)
  expect(refused).toContain('a closing parenthesis is missing, at character 9')
})
