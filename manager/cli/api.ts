import { hc } from 'hono/client'
import type { ticketRoutes } from '../appliances/ticket-routes.ts'
import type { auditRoutes } from '../audit/routes.ts'
import type { apiKeyRoutes } from '../auth/routes.ts'
import type { distributorRoutes } from '../distributors/routes.ts'
import type { mediaRoutes } from '../packagers/media/routes.ts'
import type { hostRoutes } from '../registries/host-routes.ts'
import type { scriptRoutes } from '../scripts/routes.ts'
import type { runRoutes } from '../scripts/runs-routes.ts'
import type { explainRoutes } from '../sites/explain-routes.ts'
import type { siteRoutes } from '../sites/routes.ts'
import type { siteViewRoutes } from '../sites/view-routes.ts'
import { type Asking, refused, unreachable } from './refusals.ts'
import { readSettings, type Settings } from './settings.ts'
import { createFetch, type Fetch } from './transport.ts'
import type { World } from './world.ts'

/** A manager, as far as this command may ask it. Every failure is a `Failure` that says what to do next. */
export interface Manager {
  readonly url: string
  /** One client a room; paths, bodies and answers are typed by the manager's own routes. */
  readonly api: Api
  /** `path` begins with `/`: below the API's root, with the key. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Any address, without the key: presigned downloads. */
  fetchOutside(url: string, init?: RequestInit): Promise<Response>
}
export type Api = ReturnType<typeof clients>

/** The manager that somebody logged in to. */
export async function connect(world: World): Promise<Manager> {
  return managerOf(await readSettings(world.env))
}

export function managerOf(settings: Settings, fetch: Fetch = createFetch(settings.certificate)): Manager {
  const base = `${settings.url}/api/v1`
  const about = { url: settings.url, pinned: settings.certificate !== undefined }
  const asked = checked(fetch, about)
  const headers = { authorization: `Bearer ${settings.key}` }
  return {
    url: settings.url,
    api: clients(base, { fetch: asked, headers }),
    fetch: (path, init) => asked(`${base}${path}`, { ...init, headers: { ...headers, ...Object.fromEntries(new Headers(init?.headers)) } }),
    fetchOutside: (url, init) => {
      const { origin } = new URL(url)
      const own = origin === new URL(settings.url).origin
      return checked(own ? fetch : createFetch(undefined), { url: origin, pinned: own && about.pinned })(url, init)
    },
  }
}

function clients(base: string, options: { fetch: Fetch; headers: Record<string, string> }) {
  return {
    access: hc<ReturnType<typeof apiKeyRoutes>>(base, options),
    sites: hc<ReturnType<typeof siteRoutes>>(base, options),
    views: hc<ReturnType<typeof siteViewRoutes>>(base, options),
    audit: hc<ReturnType<typeof auditRoutes>>(base, options),
    tickets: hc<ReturnType<typeof ticketRoutes>>(base, options),
    hosts: hc<ReturnType<typeof hostRoutes>>(base, options),
    explain: hc<ReturnType<typeof explainRoutes>>(base, options),
    facts: hc<ReturnType<typeof distributorRoutes>>(base, options),
    scripts: hc<ReturnType<typeof scriptRoutes>>(base, options),
    runs: hc<ReturnType<typeof runRoutes>>(base, options),
    media: hc<ReturnType<typeof mediaRoutes>>(base, options),
  }
}

/** Throws Failure for whatever is no good answer, so that commands meet good ones only. */
function checked(fetch: Fetch, about: Asking): Fetch {
  return async (input, init) => {
    const answer = await fetch(input, init).catch((cause: unknown) => {
      if (init?.signal?.aborted) throw cause
      throw unreachable(about, cause)
    })
    if (answer.ok || (init?.redirect === 'manual' && answer.headers.has('location'))) return answer
    throw await refused(about, answer)
  }
}
