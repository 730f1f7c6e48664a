import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router'
import { z } from 'zod'
import { NotFoundPage } from './pages/not-found.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { Shell } from './shell.tsx'

const root = createRootRouteWithContext<{ queries: QueryClient }>()({ component: Outlet, notFoundComponent: NotFoundPage })
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/signin',
  validateSearch: z.object({ next: z.string().optional().catch(undefined) }),
  component: SignInPage,
})
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: z.object({ token: z.string().optional().catch(undefined) }),
  component: lazyRouteComponent(() => import('./pages/setup.tsx'), 'SetupPage'),
})
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell, notFoundComponent: NotFoundPage })

const text = z.string().optional().catch(undefined)
const overview = createRoute({ getParentRoute: () => shell, path: '/', component: OverviewPage })
const sites = createRoute({
  getParentRoute: () => shell,
  path: '/sites',
  component: lazyRouteComponent(() => import('./pages/sites.tsx'), 'SitesPage'),
})
const newSite = createRoute({
  getParentRoute: () => shell,
  path: '/sites/new',
  component: lazyRouteComponent(() => import('./pages/new-site.tsx'), 'NewSitePage'),
})
const site = createRoute({
  getParentRoute: () => shell,
  path: '/sites/$id',
  validateSearch: z.object({ tab: text }),
  component: lazyRouteComponent(() => import('./pages/site.tsx'), 'SitePage'),
})
const hosts = createRoute({
  getParentRoute: () => shell,
  path: '/hosts',
  validateSearch: z.object({ selector: text, status: text }),
  component: lazyRouteComponent(() => import('./pages/hosts.tsx'), 'HostsPage'),
})
const host = createRoute({
  getParentRoute: () => shell,
  path: '/hosts/$id',
  component: lazyRouteComponent(() => import('./pages/host.tsx'), 'HostPage'),
})
const runs = createRoute({
  getParentRoute: () => shell,
  path: '/runs',
  component: lazyRouteComponent(() => import('./pages/runs.tsx'), 'RunsPage'),
})
const run = createRoute({
  getParentRoute: () => shell,
  path: '/runs/$id',
  component: lazyRouteComponent(() => import('./pages/runs.tsx'), 'RunPage'),
})
const scripts = createRoute({
  getParentRoute: () => shell,
  path: '/scripts',
  component: lazyRouteComponent(() => import('./pages/scripts.tsx'), 'ScriptsPage'),
})
const script = createRoute({
  getParentRoute: () => shell,
  path: '/scripts/$id',
  validateSearch: z.object({ version: z.number().int().optional().catch(undefined) }),
  component: lazyRouteComponent(() => import('./pages/script.tsx'), 'ScriptPage'),
})
const profiles = createRoute({
  getParentRoute: () => shell,
  path: '/profiles',
  component: lazyRouteComponent(() => import('./pages/profiles.tsx'), 'ProfilesPage'),
})
const profile = createRoute({
  getParentRoute: () => shell,
  path: '/profiles/$id',
  validateSearch: z.object({ version: z.number().int().optional().catch(undefined) }),
  component: lazyRouteComponent(() => import('./pages/profile.tsx'), 'ProfilePage'),
})
const media = createRoute({
  getParentRoute: () => shell,
  path: '/media',
  component: lazyRouteComponent(() => import('./pages/media.tsx'), 'MediaPage'),
})
const updates = createRoute({
  getParentRoute: () => shell,
  path: '/updates',
  validateSearch: z.object({ tab: text }),
  component: lazyRouteComponent(() => import('./pages/updates.tsx'), 'UpdatesPage'),
})
const newRollout = createRoute({
  getParentRoute: () => shell,
  path: '/updates/rollouts/new',
  validateSearch: z.object({ release: text }),
  component: lazyRouteComponent(() => import('./pages/new-rollout.tsx'), 'NewRolloutPage'),
})
const rollout = createRoute({
  getParentRoute: () => shell,
  path: '/updates/rollouts/$id',
  component: lazyRouteComponent(() => import('./pages/rollout.tsx'), 'RolloutPage'),
})
const keys = createRoute({
  getParentRoute: () => shell,
  path: '/keys',
  component: lazyRouteComponent(() => import('./pages/keys.tsx'), 'KeysPage'),
})

const members = createRoute({
  getParentRoute: () => shell,
  path: '/members',
  component: lazyRouteComponent(() => import('./pages/members.tsx'), 'MembersPage'),
})
const audit = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  component: lazyRouteComponent(() => import('./pages/audit.tsx'), 'AuditPage'),
})
const claim = createRoute({
  getParentRoute: () => shell,
  path: '/claim/$code',
  component: lazyRouteComponent(() => import('./pages/claim.tsx'), 'ClaimPage'),
})
const invite = createRoute({
  getParentRoute: () => root,
  path: '/invite/$code',
  component: lazyRouteComponent(() => import('./pages/invite.tsx'), 'InvitePage'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    setup,
    invite,
    shell.addChildren([
      overview,
      sites,
      newSite,
      site,
      hosts,
      host,
      runs,
      run,
      scripts,
      script,
      profiles,
      profile,
      media,
      updates,
      newRollout,
      rollout,
      keys,
      members,
      audit,
      claim,
    ]),
  ]),
  context: { queries: undefined as never },
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
