import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { LAB_EMAIL, LAB_PASSWORD } from '../lab/api.ts'
import { LAN } from '../lab/site.ts'
import { applied, type StackSite } from '../lab/stack.ts'
import { Script, Site, type Started, startHands } from './console-hands.ts'
import { startAppliance } from './console-rig.ts'

/** What goes wrong while somebody works: each test is one mishap, and nothing that was typed is lost in any. */
let rig: Started['rig']
let api: Started['api']
let site: StackSite
let page: Started['page']
let hands: Started['hands']

beforeAll(async () => {
  ;({ rig, api, page, hands } = await startHands())
  const lan = { name: 'lan', subnet: LAN.subnet, address: LAN.appliance, mode: 'serve', ranges: [{ from: LAN.from, to: LAN.to }] }
  const made = await api.send('POST', '/sites', { name: 'shop-1', lans: [lan] }, Site)
  const { config } = await api.send('POST', `/sites/${made.id}/tokens`, {}, z.object({ config: z.record(z.string(), z.unknown()) }))
  site = { ...made, ...(await startAppliance(rig, config)) }
  await applied(api, site)
})
afterAll(() => rig.close())

beforeEach(async () => void (await hands.signIn()))
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

test('a session that ends in mid-form asks for the password over the page; the form is as typed and saves', async () => {
  await hands.open('/sites/new')
  await page.getByRole('textbox', { name: 'Name', exact: true }).first().fill('shop-2')
  await page.getByRole('textbox', { name: 'Network' }).fill('10.7.0.0/24')
  await page.getByRole('textbox', { name: "Appliance's address" }).fill('10.7.0.2')
  await endSession()
  await page.getByRole('button', { name: 'Add the site' }).click()
  await signInAgain()
  expect(await page.getByRole('textbox', { name: 'Network' }).inputValue()).toBe('10.7.0.0/24')
  await page.getByRole('button', { name: 'Add the site' }).click()
  await page.getByText('Waiting for the appliance of shop-2').waitFor()

  const { id } = await hands.newScript('hello', 'echo one\n')
  await hands.open(`/scripts/${id}`)
  await hands.typeAtEnd('hello', 'echo two')
  await endSession()
  await hands.save().click()
  await signInAgain()
  expect(await hands.textOf('hello')).toBe('echo one\necho two')
  await hands.save().click()
  await page.getByText('bash, version 2').waitFor()
  expect((await api.get(`/scripts/${id}`, Script)).text).toBe('echo one\necho two')
  await page.getByText('live', { exact: true }).waitFor()
})

test('a script that another tab saved first is shown beside mine; either can be taken, and neither is overwritten unseen', async () => {
  const { id } = await hands.newScript('both', 'start\n')
  const other = await page.context().newPage()
  const theirs = async (text: string) => {
    await hands.open(`/scripts/${id}`, other)
    await hands.typeAtEnd('both', text, other)
    await hands.save(other).click()
    await other.getByText(/changed here/).waitFor({ state: 'hidden' })
    await page.bringToFront()
  }
  await hands.open(`/scripts/${id}`)
  await hands.typeAtEnd('both', 'mine 1')
  await theirs('theirs 1')
  await hands.save().click()
  const alert = page.getByRole('alert').filter({ hasText: 'Version 2 was saved elsewhere' })
  await alert.waitFor()
  expect(await alert.textContent()).toMatch(/theirs 1.*mine 1/s)
  await alert.getByRole('button', { name: 'Take theirs' }).click()
  await expect.poll(() => hands.textOf('both')).toBe('start\ntheirs 1')

  await hands.typeAtEnd('both', ', mine 2')
  await theirs(', theirs 2')
  await hands.save().click()
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
    await hands.open(`/sites/${id}?tab=settings`)
    await field.fill(mine)
    await api.send('PATCH', `/sites/${id}`, { name: theirs }, Site)
    await hands.save().click()
    const alert = page.getByRole('alert').filter({ hasText: 'Somebody else saved this site first' })
    await alert.getByText(`name ${theirs}`).waitFor()
    await alert.getByText(`name ${mine}`).waitFor()
    expect(await nameOf()).toBe(theirs)
    return alert
  }
  await (await rename('mine-1', 'theirs-1')).getByRole('button', { name: 'Take theirs' }).click()
  expect(await field.inputValue()).toBe('theirs-1')
  await (await rename('mine-2', 'theirs-2')).getByRole('button', { name: 'Keep mine' }).click()
  await hands.save().click()
  await page.getByText('Saved; the site has it within seconds.').waitFor()
  expect(await nameOf()).toBe('mine-2')
})

test('a manager that is killed and comes back: the page says so, heals without reload, and misses no fact', async () => {
  const watched = await page.context().newPage()
  await watched.addInitScript(`
    globalThis.seen = []
    const add = EventSource.prototype.addEventListener
    EventSource.prototype.addEventListener = function (kind, listener) {
      return add.call(this, kind, (event) => { globalThis.seen.push(Number(event.lastEventId)); listener(event) })
    }`)
  await hands.open('/hosts', watched)
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
  await hands.open(`/sites/${site.id}?tab=enrol`)
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Skip to the page')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('More')
  await page.keyboard.press('Enter')
  await expect.poll(focused).toBe('Delete this site ...')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await expect.poll(focused).toBe('More')

  await hands.open('/scripts')
  await page.getByRole('button', { name: 'New script' }).first().focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await expect.poll(() => page.evaluate<string>('document.activeElement.tagName')).toBe('INPUT')
  await page.keyboard.press('Escape')
  await expect.poll(focused).toBe('New script')
})
