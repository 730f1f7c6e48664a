import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { Screen } from '../console/render.ts'
import { type ConfigProblem, formatProblem, parseConfig } from '../read-config.ts'
import type { Guard } from './guard.ts'
import { html, loginPage, page, STYLE_TEXT, settingsPage, statePage } from './html.ts'

export interface HandlerDeps {
  guard: Guard
  screen: () => Screen
  facts: () => { leases: number; services: Record<string, string> }
  settings: () => ApplianceConfig
  problems: () => readonly ConfigProblem[]
  /** Rejects with words for people. */
  save: (settings: ApplianceConfig) => Promise<void>
  /** For whoever helps: nothing secret is in it. */
  diagnostics: () => object
  now: () => number
  /** Told of each sign-in, and of each refused one. */
  note: (event: 'page.opened' | 'page.refused' | 'page.settings_saved', fields: { from: string }) => void
}

const BODY_BYTES = 16 * 1024
const COOKIE = '__Host-session'
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE_TEXT).digest('base64')}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin', // with `no-referrer` browsers would send no Origin along with forms
  'cross-origin-opener-policy': 'same-origin',
}

interface Reply {
  status: number
  body?: string
  headers?: Record<string, string>
}

/** The local page: what the box sees, its settings, diagnostics. Server-rendered, no script. */
export function createHandler(deps: HandlerDeps): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(deps, request)
      .catch((error: unknown): Reply => ({ status: 500, body: trouble(error instanceof Error ? error.message : String(error)) }))
      .then(({ status, body = '', headers = {} }) => {
        response
          .writeHead(status, { ...HEADERS, 'content-length': Buffer.byteLength(body), ...headers })
          .end(request.method === 'HEAD' ? '' : body)
        request.resume()
      })
  }
}

async function answer(deps: HandlerDeps, request: IncomingMessage): Promise<Reply> {
  const from = request.socket.remoteAddress ?? ''
  const { pathname } = new URL(request.url ?? '/', 'https://box')
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
  if (method === 'POST' && !isOwnForm(request)) return { status: 403, body: trouble('this form was sent from another page') }
  if (pathname === '/login' && method === 'POST') return logIn(deps, from, await readForm(request))
  const session = cookieOf(request)
  if (!deps.guard.isOpen(session, deps.now())) return pathname === '/' ? { status: 200, body: loginPage() } : seeOther('/')
  switch (`${method} ${pathname}`) {
    case 'GET /':
      return { status: 200, body: statePage(deps.screen(), deps.facts()) }
    case 'GET /settings':
      return { status: 200, body: settingsPage(shown(deps.settings()), standing(deps.problems())) }
    case 'POST /settings':
      return saveSettings(deps, from, await readForm(request))
    case 'POST /diagnostics':
      return {
        status: 200,
        body: `${JSON.stringify(deps.diagnostics(), null, 2)}\n`,
        headers: { 'content-type': 'application/json', 'content-disposition': 'attachment; filename="bridgehead-diagnostics.json"' },
      }
    case 'POST /logout':
      deps.guard.close(session)
      return seeOther('/')
    default:
      return { status: 404, body: trouble('there is no such page here') }
  }
}

function logIn({ guard, now, note }: HandlerDeps, from: string, form: URLSearchParams): Reply {
  const opened = guard.open(form.get('credential') ?? '', from, now())
  if ('refused' in opened) {
    note('page.refused', { from })
    return opened.refused === 'wrong'
      ? { status: 403, body: loginPage('That is not the password on the screen.') }
      : { status: 429, body: loginPage('Too many tries; wait a minute.'), headers: { 'retry-after': '60' } }
  }
  note('page.opened', { from })
  return seeOther('/', { 'set-cookie': `${COOKIE}=${opened.session}; Path=/; Secure; HttpOnly; SameSite=Strict` })
}

async function saveSettings(deps: HandlerDeps, from: string, form: URLSearchParams): Promise<Reply> {
  const text = (form.get('settings') ?? '').replaceAll('\r\n', '\n')
  const result = parseConfig(new TextEncoder().encode(text))
  if ('problems' in result) return { status: 400, body: settingsPage(text, standing(result.problems)) }
  const before = deps.settings()
  try {
    await deps.save(withSecrets(result.config, before))
  } catch (error) {
    return {
      status: 500,
      body: settingsPage(text, { good: false, lines: [`not saved: ${error instanceof Error ? error.message : error}`] }),
    }
  }
  deps.note('page.settings_saved', { from })
  return {
    status: 200,
    body: settingsPage(shown(deps.settings()), {
      good: true,
      lines: ['Saved. The network follows within seconds; this page may then be at another address (see the screen).'],
    }),
  }
}

/** What is not shown: the token, and the passphrase. */
export function shown(settings: ApplianceConfig): string {
  const { token: _, uplink, ...rest } = settings
  const { wifi, ...wired } = uplink ?? {}
  const { psk: __, ...radio } = wifi ?? {}
  const visible = { ...rest, ...(uplink ? { uplink: { ...wired, ...(wifi ? { wifi: { ...radio, psk: HIDDEN } } : {}) } } : {}) }
  return JSON.stringify(visible, null, 2)
}

const HIDDEN = '********'

function withSecrets(next: ApplianceConfig, before: ApplianceConfig): ApplianceConfig {
  const token = next.token ?? before.token
  const kept = before.uplink?.wifi?.psk
  const wifi = next.uplink?.wifi
  const uplink =
    next.uplink && wifi && kept !== undefined && wifi.psk === HIDDEN ? { ...next.uplink, wifi: { ...wifi, psk: kept } } : next.uplink
  return { ...next, ...(token === undefined || next.manager === undefined ? {} : { token }), ...(uplink ? { uplink } : {}) }
}

const standing = (problems: readonly ConfigProblem[]) =>
  problems.length === 0 ? undefined : { good: false, lines: problems.map(formatProblem) }

const trouble = (words: string) => page('Bridgehead appliance', html`<p class="bad">${words}</p><p><a href="/">Back</a></p>`)
const seeOther = (location: string, headers: Record<string, string> = {}): Reply => ({ status: 303, headers: { location, ...headers } })

/** A browser says where a form comes from. Other pages could otherwise post to this box from a browser that is signed in. */
function isOwnForm({ headers }: IncomingMessage): boolean {
  if (headers.origin === undefined) return headers['sec-fetch-site'] === undefined || headers['sec-fetch-site'] === 'same-origin'
  return headers.host !== undefined && headers.origin === `https://${headers.host}`
}

function cookieOf({ headers }: IncomingMessage): string | undefined {
  for (const part of (headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=')
    if (name === COOKIE) return value
  }
  return undefined
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += part.length
    if (bytes > BODY_BYTES) throw new Error(`expected at most ${BODY_BYTES} bytes`)
    parts.push(part)
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'))
}
