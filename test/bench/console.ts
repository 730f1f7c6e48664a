import { z } from 'zod'
import { openBrowser, type Page } from '../lab/browser.ts'
import { startConsole } from '../lab/console.ts'
import { insertHosts } from '../lab/many-hosts.ts'
import { type BenchRow, row } from './harness.ts'

const HOSTS = 10_000
const FACTS_A_SECOND = 500
const LIMIT = { scriptBytes: 250_000, filterMs: 100, typingMs: 100 }
const LAN = { name: 'main', subnet: '192.168.1.0/24', address: '192.168.1.2' }
const FILTERS = ['site=site-7,role in (edge,till),!spare', 'site=site-8,role notin (camera),rack=b']

/** The console against its limits: bytes of the first load, and a list of 10,000 hosts filtered while nothing and while much happens. */
export async function benchConsole(): Promise<BenchRow[]> {
  const manager = await startManager()
  const { context, close } = await openBrowser()
  try {
    const page = await context.newPage()
    const scriptBytes = await firstLoad(page, manager.url)
    await manager.signIn(page)
    await page.goto(`${manager.url}/hosts`)
    await page.getByRole('table', { name: 'Machines' }).getByRole('link').first().waitFor({ timeout: 60_000 })
    const [first = '', second = ''] = FILTERS
    const quiet = await filterMs(page, first)
    const flood = manager.flood()
    const busy = await filterMs(page, second)
    await flood()
    return [
      row('console.script', 'limit', 'B', scriptBytes, LIMIT.scriptBytes, { better: 'less' }),
      row('console.filter', 'limit', 'ms', Math.max(...quiet), LIMIT.filterMs, { better: 'less' }),
      row('console.stream', 'limit', 'ms', Math.max(...busy), LIMIT.typingMs, { better: 'less' }),
    ]
  } finally {
    await close()
    await manager.close()
  }
}

/** Bytes of script that travel until the overview of a signed-out browser stands, as the browser counts them. */
async function firstLoad(page: Page, url: string): Promise<number> {
  await page.goto(url)
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  return page.evaluate<number>(
    'performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js")).reduce((sum, one) => sum + one.encodedBodySize, 0)',
  )
}

/** In the page (text, because this side knows no DOM): from the next key down until the rows answer what stands in the field, in ms. */
const UNTIL_ANSWERED = `new Promise((resolve) => {
  const input = document.activeElement
  const table = document.querySelector('[role=table][data-filter]')
  input.addEventListener('keydown', () => {
    const began = performance.now()
    const look = () => (table.getAttribute('data-filter') === input.value ? resolve(performance.now() - began) : requestAnimationFrame(look))
    setTimeout(look)
  }, { once: true })
})`

/** Types `text` key by key; each time is from the key until the rows on the screen answer what stands in the field. */
async function filterMs(page: Page, text: string): Promise<number[]> {
  const field = page.getByRole('textbox', { name: 'Filter by tags' })
  await field.fill('')
  const times: number[] = []
  for (const key of text) {
    const answered = page.evaluate<number>(UNTIL_ANSWERED)
    await page.evaluate('0') // the listener stands
    await page.keyboard.type(key)
    times.push(await answered)
  }
  return times
}

async function startManager() {
  const server = await startConsole()
  const { harness } = server.whole
  const { db, manager } = harness
  for (let index = 0; index < 20; index++) await server.send('POST', '/sites', { name: `site-${index}`, lans: [LAN] }, z.unknown())
  await insertHosts(db, HOSTS)
  const hosts = await db.selectFrom('hosts').select(['id', 'site']).execute()
  return {
    url: server.url,
    signIn: server.signIn,
    /** Facts of hosts' boots, evenly; the returned function ends it. */
    flood() {
      let sent = 0
      const began = Date.now()
      let going: Promise<void> = Promise.resolve()
      const timer = setInterval(() => {
        const due = Math.floor(((Date.now() - began) * FACTS_A_SECOND) / 1000) - sent
        const facts = Array.from({ length: due }, () => {
          const host = hosts[sent++ % hosts.length]
          return { site: host?.site ?? '', ...harness.fact('host.status', { status: 'ready' }, host?.id) }
        })
        going = going.then(async () => {
          for (const site of new Set(facts.map((fact) => fact.site)))
            await manager.ingest(
              site,
              facts.filter((fact) => fact.site === site),
            )
        })
      }, 50)
      return async () => {
        clearInterval(timer)
        await going
      }
    },
    close: server.close,
  }
}
