import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api } from './client.ts'

/** Everything that pages read, by key; `live.ts` says which facts make which of them old. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async () => (await api.session.session.$get()).json(),
  staleTime: 60_000,
})

export const sitesQuery = queryOptions({
  queryKey: ['sites'],
  queryFn: async () => (await (await api.sites.sites.$get({ query: {} })).json()).items,
})
export const siteQuery = (id: string) =>
  queryOptions({
    queryKey: ['sites', id],
    queryFn: async () => (await api.sites.sites[':id'].$get({ param: { id } })).json(),
  })
export const pendingQuery = (id: string) =>
  queryOptions({
    queryKey: ['sites', id, 'pending'],
    queryFn: async () => (await (await api.sites.sites[':id'].pending.$get({ param: { id } })).json()).items,
  })

export const hostsQuery = queryOptions({
  queryKey: ['hosts'],
  queryFn: async () => (await (await api.hosts.hosts.$get({ query: {} })).json()).items,
})
/** Of one site alone. */
export const siteHostsQuery = (site: string) =>
  queryOptions({
    queryKey: ['hosts', 'of-site', site],
    queryFn: async () => (await (await api.hosts.hosts.$get({ query: { site } })).json()).items,
  })
export const hostQuery = (id: string) =>
  queryOptions({
    queryKey: ['hosts', id],
    queryFn: async () => (await api.hosts.hosts[':id'].$get({ param: { id } })).json(),
  })
export const timelineQuery = (id: string) =>
  queryOptions({
    queryKey: ['hosts', id, 'timeline'],
    queryFn: async () => (await api.events.hosts[':id'].timeline.$get({ param: { id }, query: {} })).json(),
  })
export const explainQuery = (id: string) =>
  queryOptions({
    queryKey: ['hosts', id, 'explain'],
    queryFn: async () => (await api.explain.hosts[':id'].explain.$get({ param: { id }, query: {} })).json(),
  })

export const scriptsQuery = queryOptions({
  queryKey: ['scripts'],
  queryFn: async () => (await (await api.scripts.scripts.$get()).json()).items,
})
export const scriptQuery = (id: string, version?: number) =>
  queryOptions({
    queryKey: ['scripts', id, version ?? 'newest'],
    queryFn: async () =>
      (await api.scripts.scripts[':id'].$get({ param: { id }, query: version === undefined ? {} : { version: String(version) } })).json(),
  })
export const scriptVersionsQuery = (id: string) =>
  queryOptions({
    queryKey: ['scripts', id, 'versions'],
    queryFn: async () => (await (await api.scripts.scripts[':id'].versions.$get({ param: { id } })).json()).items,
  })
export const profilesQuery = queryOptions({
  queryKey: ['profiles'],
  queryFn: async () => (await (await api.scripts.profiles.$get()).json()).items,
})
export const profileQuery = (id: string, version?: number) =>
  queryOptions({
    queryKey: ['profiles', id, version ?? 'newest'],
    queryFn: async () =>
      (await api.scripts.profiles[':id'].$get({ param: { id }, query: version === undefined ? {} : { version: String(version) } })).json(),
  })
export const profileVersionsQuery = (id: string) =>
  queryOptions({
    queryKey: ['profiles', id, 'versions'],
    queryFn: async () => (await (await api.scripts.profiles[':id'].versions.$get({ param: { id } })).json()).items,
  })

export const releasesQuery = queryOptions({
  queryKey: ['releases'],
  queryFn: async () => (await (await api.releases.releases.$get()).json()).items,
})
export const rolloutsQuery = queryOptions({
  queryKey: ['rollouts'],
  queryFn: async () => (await (await api.rollouts.rollouts.$get()).json()).items,
})
export const rolloutQuery = (id: string) =>
  queryOptions({
    queryKey: ['rollouts', id],
    queryFn: async () => (await api.rollouts.rollouts[':id'].$get({ param: { id } })).json(),
  })

export const runsQuery = queryOptions({
  queryKey: ['runs'],
  queryFn: async () => (await (await api.runs.runs.$get({ query: {} })).json()).items,
})
export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: async () => (await api.runs.runs[':id'].$get({ param: { id } })).json(),
  })

export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: async () => (await (await api.registry.keys.$get()).json()).items,
})
export const apiKeysQuery = queryOptions({
  queryKey: ['api-keys'],
  queryFn: async () => (await (await api.access['api-keys'].$get()).json()).items,
})
export const leasesQuery = (id: string) =>
  queryOptions({
    queryKey: ['sites', id, 'leases'],
    queryFn: async () => (await (await api.views.sites[':id'].leases.$get({ param: { id } })).json()).items,
  })
export const namesQuery = (id: string) =>
  queryOptions({
    queryKey: ['sites', id, 'names'],
    queryFn: async () => (await (await api.views.sites[':id'].names.$get({ param: { id } })).json()).items,
  })
export const servicesQuery = (id: string) =>
  queryOptions({
    queryKey: ['sites', id, 'services'],
    queryFn: async () => (await api.views.sites[':id'].services.$get({ param: { id } })).json(),
    refetchInterval: 10_000,
  })

export const auditQuery = infiniteQueryOptions({
  queryKey: ['audit'],
  queryFn: async ({ pageParam }) =>
    (await (await api.audit.audit.$get({ query: pageParam === 0 ? {} : { before: String(pageParam) } })).json()).items,
  initialPageParam: 0,
  getNextPageParam: (page) => (page.length < 100 ? undefined : page.at(-1)?.seq),
})

export const membersQuery = queryOptions({
  queryKey: ['members'],
  queryFn: async () => (await (await api.members.members.$get()).json()).items,
})
export const invitationsQuery = queryOptions({
  queryKey: ['members', 'invitations'],
  queryFn: async () => (await (await api.members.members.invitations.$get()).json()).items,
})
