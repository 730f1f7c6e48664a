import { join } from 'node:path'
import { SCRIPT_CHARACTERS } from '@bridgehead/shared/model/script-text.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { addHosts } from '../lab/many-hosts.ts'
import { Script, Site, type Started, startHands } from './console-hands.ts'

/** What people put into fields and find in lists, too much of it or wrong: said at its place. */
let rig: Started['rig']
let api: Started['api']
let page: Started['page']
let hands: Started['hands']

beforeAll(async () => {
  ;({ rig, api, page, hands } = await startHands())
  await api.send('POST', '/sites', { name: 'shop-1', lans: [] }, Site)
})
afterAll(() => rig.close())
beforeEach(async () => void (await hands.signIn()))

test('a site name that exists is refused at its field, for a new site and for a renamed one', async () => {
  await hands.open('/sites/new')
  const field = page.getByRole('textbox', { name: 'Name', exact: true }).first()
  await field.fill('shop-1')
  await page.getByRole('button', { name: 'Add the site' }).click()
  await page.getByText('another site is named "shop-1"').waitFor()
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  const { id } = await api.send('POST', '/sites', { name: 'shop-4', lans: [] }, Site)
  await hands.open(`/sites/${id}?tab=settings`)
  await field.fill('shop-1')
  await hands.save().click()
  await page.getByText('another site is named "shop-1"').waitFor()
  expect(await field.inputValue()).toBe('shop-1')
})

test('a script of 1 MB: the limit is said at the field before it is sent, nothing is lost', async () => {
  const { id } = await hands.newScript('large', 'begin\n')
  await hands.open(`/scripts/${id}`)
  await hands.editor('large').click()
  await page.keyboard.press('ControlOrMeta+End')
  const line = `${'x'.repeat(99)}\n`
  const large = line.repeat(10_000)
  await hands.paste(large)
  await page.getByText('1,000,006 characters are too many; expected at most 262,144').waitFor()
  expect(await hands.editor('large').getAttribute('aria-invalid')).toBe('true')
  expect(await hands.save().isDisabled()).toBe(true)
  await page.keyboard.type('0123456789')
  await expect.poll(() => hands.textOf('large')).toMatch(/0123456789$/)
  await page.keyboard.press('ControlOrMeta+A')
  await hands.paste(line.repeat(2_500))
  await page.getByText(/are too many/).waitFor({ state: 'hidden' })
  await hands.save().click()
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

test('a list of 10,000 machines scrolls to its end and filters', async () => {
  await addHosts(join(rig.manager.data, 'manager.sqlite'), 10_000)
  await hands.open('/hosts')
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
    await hands.open(path)
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
