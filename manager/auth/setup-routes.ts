import { Hono } from 'hono'
import { html } from 'hono/html'
import { z } from 'zod'
import { noteSender } from '../engines/http/audited.ts'
import { Problem, problemOf } from '../engines/http/problem.ts'
import { form, PAGE_HEADERS, page } from '../web/page.ts'
import type { Setup } from './setup.ts'

const Owner = z.strictObject({
  token: z.string().min(1).max(200),
  email: z.email({ error: 'expected an e-mail address' }).max(254),
  password: z.string().min(12, 'expected at least 12 characters').max(256),
  name: z.string().min(1).max(100),
  organisation: z.string().min(1).max(100),
})

/** `/setup`: a page for people, JSON for scripts. Open, because the token in the link is the right to use it. */
export function setupRoutes({ setup }: { setup: Setup }) {
  return new Hono()
    .get('/setup', async (c) => {
      const token = c.req.query('token') ?? ''
      await setup.check(token)
      return c.html(setupPage(token, {}), 200, PAGE_HEADERS)
    })
    .post('/setup', async (c) => {
      const fromForm = /^application\/x-www-form-urlencoded/i.test(c.req.header('content-type') ?? '')
      const input: unknown = fromForm ? await c.req.parseBody() : await readJson(c.req)
      const parsed = Owner.safeParse(input)
      if (!parsed.success) {
        const problem = problemOf(parsed.error)
        if (!fromForm) throw problem
        const typed = input as Record<string, string>
        return c.html(setupPage(typed.token ?? '', typed, problem), problem.status, PAGE_HEADERS)
      }
      const done = await setup.spend(parsed.data)
      const { organisation: name, email } = parsed.data
      const actor = { kind: 'user' as const, id: done.user, name: email }
      noteSender(c, { organisation: done.organisation, actor, target: { id: done.organisation, name } })
      return fromForm ? c.html(donePage(done.apiKey), 201, PAGE_HEADERS) : c.json(done, 201, { 'cache-control': 'no-store' })
    })
}

async function readJson(request: { header(name: string): string | undefined; json(): Promise<unknown> }): Promise<unknown> {
  if (!/^application\/json/i.test(request.header('content-type') ?? ''))
    throw new Problem('content-type', 'expected content-type application/json (or the form of the page)')
  return request.json().catch((cause: unknown) => {
    throw new Problem('malformed-json', 'expected one JSON document', { cause })
  })
}

function setupPage(token: string, typed: Record<string, string>, problem?: Problem) {
  return page(
    'Set up',
    html`<h1>Set up Bridgehead</h1>
<p>This link works once. It makes the first account and its organisation.</p>
${problem ? problem.errors.map((error) => html`<p class="bad" role="alert">${error.field}: ${error.message}</p>`) : ''}
${form(
  '/setup',
  [
    { name: 'email', label: 'E-mail', type: 'email', value: typed.email, autocomplete: 'username' },
    { name: 'password', label: 'Password (12 characters or more)', type: 'password', autocomplete: 'new-password', minlength: 12 },
    { name: 'name', label: 'Your name', value: typed.name, autocomplete: 'name' },
    { name: 'organisation', label: 'Organisation', value: typed.organisation, autocomplete: 'organization' },
  ],
  'Make the account',
  { token },
)}`,
  )
}

function donePage(apiKey: string) {
  return page(
    'Ready',
    html`<h1>Ready</h1>
<p>Your account is made. This API key has every right and is shown only now:</p>
<p><code>${apiKey}</code></p>
<p><a href="/signin">Sign in</a></p>`,
  )
}
