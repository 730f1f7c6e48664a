import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import { html } from 'hono/html'
import { z } from 'zod'
import { PAGE_HEADERS, page } from './page.ts'

/** Asks the manager's own API with the caller's headers: the page may do what its reader may do, and nothing more. */
export type AskApi = (path: string, init: RequestInit) => Response | Promise<Response>

const Sites = z.object({ items: z.array(z.object({ id: z.string(), name: z.string(), appliance: z.object({}).optional() })) })
const Problem = z.object({ detail: z.string().optional(), title: z.string().optional() })
/** As people type it and as a QR holds it; what it is exactly, the API says. */
const CODE = /^[\w-]{1,20}$/

/** `/claim/{code}`: where the QR on an unclaimed box's screen leads. Asks which site the box is for. */
export function claimRoutes(ask: AskApi) {
  const app = new Hono()
  app.use('/claim/*', csrf())
  return app
    .get('/claim/:code', async (c) => {
      const code = c.req.param('code')
      if (!CODE.test(code)) return c.notFound()
      const cookie = c.req.header('cookie') ?? ''
      const answer = await ask('/api/v1/sites', { headers: { cookie } })
      if (answer.status === 401) return c.redirect(`/signin?next=${encodeURIComponent(`/claim/${code}`)}`, 302)
      if (!answer.ok) return c.html(claimPage(code, [], await why(answer)), 502, PAGE_HEADERS)
      return c.html(claimPage(code, Sites.parse(await answer.json()).items), 200, PAGE_HEADERS)
    })
    .post('/claim/:code', async (c) => {
      const code = c.req.param('code')
      const { site } = await c.req.parseBody()
      if (!CODE.test(code) || typeof site !== 'string') return c.notFound()
      const headers = { cookie: c.req.header('cookie') ?? '', origin: c.req.header('origin') ?? '', 'content-type': 'application/json' }
      const body = JSON.stringify({ code })
      const answer = await ask(`/api/v1/sites/${encodeURIComponent(site)}/claim`, { method: 'POST', headers, body })
      if (answer.status === 401) return c.redirect(`/signin?next=${encodeURIComponent(`/claim/${code}`)}`, 303)
      if (answer.ok) return c.html(donePage(), 200, PAGE_HEADERS)
      const sites = await ask('/api/v1/sites', { headers: { cookie: headers.cookie } })
      const items = sites.ok ? Sites.parse(await sites.json()).items : []
      return c.html(claimPage(code, items, await why(answer)), 409, PAGE_HEADERS)
    })
}

async function why(answer: Response): Promise<string> {
  const problem = Problem.safeParse(await answer.json().catch(() => undefined))
  return (problem.success ? (problem.data.detail ?? problem.data.title) : undefined) ?? `the manager answered ${answer.status}`
}

function claimPage(code: string, sites: z.infer<typeof Sites>['items'], wrong?: string) {
  return page(
    'Claim a box',
    html`<h1>Claim ${code}</h1>
<p>A new box shows this code. Compare it with its screen, then say which site it is for.</p>
${wrong === undefined ? '' : html`<p class="bad" role="alert">${wrong}</p>`}
${
  sites.length === 0
    ? html`<p>There is no site yet. Make one with <code>POST /api/v1/sites</code>, then open this page again.</p>`
    : html`<form method="post" action="/claim/${code}"><label for="site">Site</label>
<select id="site" name="site" required>${sites.map(
        (site) => html`<option value="${site.id}">${site.name}${site.appliance ? ' (replaces its present box)' : ''}</option>`,
      )}</select>
<button type="submit">Claim</button></form>`
}`,
  )
}

function donePage() {
  return page('Claimed', html`<h1>Claimed</h1>\n<p>The box learns it within three seconds; its screen then shows the site's name.</p>`)
}
