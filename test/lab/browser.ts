import { existsSync } from 'node:fs'
import axe from 'axe-core'
import { chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Debian's Chromium, without a window. Throws, with what to install, where there is none. Errors of any page end up in `errors`. */
export async function openBrowser(options: { colorScheme?: 'light' | 'dark'; viewport?: { width: number; height: number } } = {}) {
  const executablePath = PLACES.find(existsSync)
  if (executablePath === undefined) throw new Error('no Chromium here; run: apt-get install chromium')
  // Chromium's own sandbox does not start as root; the only pages it sees are this manager's
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const context = await browser.newContext({ viewport: { width: 1280, height: 850 }, ...options })
  const errors: string[] = []
  context.on('page', (page) => {
    page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`))
    page.on('console', (message) => message.type() === 'error' && errors.push(`${page.url()}: ${message.text()}`))
  })
  return { context, errors, close: () => browser.close() }
}

/** What axe-core finds wrong with the page as it is now: rule, how bad, and the first element. */
export async function violations(page: Page): Promise<string[]> {
  // by the debugger's protocol, because the page's own policy lets no foreign script in
  const session = await page.context().newCDPSession(page)
  const run = async (expression: string) => session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
  await run(axe.source)
  const { result } = await run(
    'axe.run().then(({ violations }) => violations.map((one) => `${one.id} (${one.impact}): ${one.nodes[0].html}`))',
  )
  await session.detach()
  return (result.value as string[]).map((line) => `${new URL(page.url()).pathname} ${line}`)
}

/** Tab until the element with this role and name has the focus; throws when the whole page was walked through without. */
export async function tabTo(page: Page, role: Parameters<Page['getByRole']>[0], name: string | RegExp, most = 60): Promise<void> {
  const wanted = page.getByRole(role, { name }).first()
  await wanted.waitFor({ state: 'attached' }) // Mantine hides the radio and shows its label
  for (let step = 0; step < most; step++) {
    if (await wanted.evaluate((element) => element.ownerDocument.activeElement === element)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the keyboard does not reach the ${role} ${name} of ${page.url()}`)
}

export type { Page }
