import { hc } from 'hono/client'
import type { releaseRoutes } from '../../../../appliances/release-routes.ts'
import type { rolloutRoutes } from '../../../../appliances/rollout-routes.ts'
import type { ticketRoutes } from '../../../../appliances/ticket-routes.ts'
import type { auditRoutes } from '../../../../audit/routes.ts'
import type { memberRoutes } from '../../../../auth/member-routes.ts'
import type { apiKeyRoutes } from '../../../../auth/routes.ts'
import type { sessionRoutes } from '../../../../auth/session-routes.ts'
import type { distributorRoutes } from '../../../../distributors/routes.ts'
import type { hostRoutes } from '../../../../registries/host-routes.ts'
import type { registryRoutes } from '../../../../registries/routes.ts'
import type { scriptRoutes } from '../../../../scripts/routes.ts'
import type { runRoutes } from '../../../../scripts/runs-routes.ts'
import type { explainRoutes } from '../../../../sites/explain-routes.ts'
import type { siteRoutes } from '../../../../sites/routes.ts'
import type { siteViewRoutes } from '../../../../sites/view-routes.ts'
import { checkedFetch } from './problem.ts'

const options = { fetch: checkedFetch }

/** The API, one client a room; paths, bodies and answers are typed by the manager's own routes. Failures throw `ApiProblem`. */
export const api = {
  session: hc<ReturnType<typeof sessionRoutes>>('/api/v1', options),
  members: hc<ReturnType<typeof memberRoutes>>('/api/v1', options),
  audit: hc<ReturnType<typeof auditRoutes>>('/api/v1', options),
  access: hc<ReturnType<typeof apiKeyRoutes>>('/api/v1', options),
  sites: hc<ReturnType<typeof siteRoutes>>('/api/v1', options),
  hosts: hc<ReturnType<typeof hostRoutes>>('/api/v1', options),
  explain: hc<ReturnType<typeof explainRoutes>>('/api/v1', options),
  events: hc<ReturnType<typeof distributorRoutes>>('/api/v1', options),
  views: hc<ReturnType<typeof siteViewRoutes>>('/api/v1', options),
  tickets: hc<ReturnType<typeof ticketRoutes>>('/api/v1', options),
  releases: hc<ReturnType<typeof releaseRoutes>>('/api/v1', options),
  rollouts: hc<ReturnType<typeof rolloutRoutes>>('/api/v1', options),
  registry: hc<ReturnType<typeof registryRoutes>>('/api/v1', options),
  scripts: hc<ReturnType<typeof scriptRoutes>>('/api/v1', options),
  runs: hc<ReturnType<typeof runRoutes>>('/api/v1', options),
}
