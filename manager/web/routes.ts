import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import { html } from 'hono/html'
import { form, PAGE_HEADERS, page } from './page.ts'

export interface WebDeps {
  /** Undefined: wrong e-mail or password. The headers carry the session cookie. */
  signIn(email: string, password: string): Promise<Headers | undefined>
  /** Name of who sends these headers. */
  who(headers: Headers): Promise<string | undefined>
}

/** The few pages that work before there is a console: sign in, and where things are. */
export function webRoutes({ signIn, who }: WebDeps) {
  const app = new Hono()
  app.use('/signin', csrf())
  return app
    .get('/', async (c) => {
      const name = await who(c.req.raw.headers)
      return name === undefined ? c.redirect('/signin', 302) : c.html(homePage(name), 200, PAGE_HEADERS)
    })
    .get('/signin', (c) => c.html(signInPage(localPath(c.req.query('next'))), 200, PAGE_HEADERS))
    .post('/signin', async (c) => {
      const { email, password } = await c.req.parseBody()
      const session = typeof email === 'string' && typeof password === 'string' ? await signIn(email, password) : undefined
      const next = localPath(c.req.query('next'))
      if (!session) return c.html(signInPage(next, 'Wrong e-mail or password.'), 401, PAGE_HEADERS)
      const answer = c.redirect(next, 303)
      for (const cookie of session.getSetCookie()) answer.headers.append('set-cookie', cookie)
      return answer
    })
}

/** Where to go after signing in: a path of this manager, never another host (`//elsewhere`, `/\\elsewhere`). */
const localPath = (next: string | undefined) => (next !== undefined && /^\/(?![/\\])[\w./~-]*$/.test(next) ? next : '/')

function signInPage(next: string, why?: string) {
  return page(
    'Sign in',
    html`<h1>Sign in</h1>
${why === undefined ? '' : html`<p class="bad" role="alert">${why}</p>`}
${form(
  next === '/' ? '/signin' : `/signin?next=${encodeURIComponent(next)}`,
  [
    { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username' },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
  ],
  'Sign in',
)}`,
  )
}

function homePage(name: string) {
  return page(
    'Manager',
    html`<h1>Bridgehead</h1>
<p>Signed in as ${name}.</p>
<p><a href="/api/v1/reference">API reference</a> · <a href="/api/v1/sites">Sites</a> · <a href="/api/v1/hosts">Hosts</a></p>`,
  )
}
