import { matches } from '@bridgehead/shared/model/tags.ts'
import { Button, Chip, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useDeferredValue, useMemo, useState } from 'react'
import { api } from '../api/client.ts'
import { hostsQuery } from '../api/queries.ts'
import { LinkButton } from '../parts/link.tsx'
import { Empty, Loaded, Page, ProblemAlert } from '../parts/page.tsx'
import { readSelector } from '../parts/selector.ts'
import { SelectorInput } from '../parts/selector-input.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Host } from '../verdict.ts'
import { HostTable } from './host-table.tsx'

const FILTERS = {
  all: { label: 'All', keeps: (host: Host) => !host.retired },
  waiting: { label: 'Waiting for you', keeps: (host: Host) => !host.approved && !host.retired },
  ready: { label: 'Ready', keeps: (host: Host) => host.status === 'ready' && !host.retired },
  busy: { label: 'Being installed', keeps: (host: Host) => host.status === 'installing' || host.status === 'installed' },
  failed: { label: 'Failed', keeps: (host: Host) => host.status === 'failed' && !host.retired },
  retired: { label: 'Retired', keeps: (host: Host) => host.retired },
} as const
type Filter = keyof typeof FILTERS

export function HostsPage() {
  const hosts = useQuery(hostsQuery)
  return <Loaded query={hosts}>{(all) => (all.length === 0 ? <NoHosts /> : <Hosts hosts={all} />)}</Loaded>
}

function NoHosts() {
  return (
    <Page title="Hosts" answer="No machine was seen yet.">
      <Empty title="Machines appear by themselves" action={<LinkButton to="/sites">Sites</LinkButton>}>
        At a site with an appliance, switch a machine on with network boot (PXE) first in its boot order. It shows up here within a second,
        and waits until you approve it.
      </Empty>
    </Page>
  )
}

function Hosts({ hosts }: { hosts: Host[] }) {
  const { selector = '', status = 'all' } = useSearch({ from: '/shell/hosts' })
  const navigate = useNavigate()
  const filter: Filter = status in FILTERS ? (status as Filter) : 'all'
  const [typed, setTyped] = useState(selector)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const wanted = useDeferredValue(typed)
  const { terms, wrong } = useMemo(() => readSelector(wanted), [wanted])
  const shown = useMemo(
    () => (wrong === undefined ? hosts.filter((host) => FILTERS[filter].keeps(host) && matches(terms, host.effectiveTags)) : []),
    [hosts, filter, terms, wrong],
  )
  const counts = useMemo(
    () =>
      Object.fromEntries(Object.entries(FILTERS).map(([name, { keeps }]) => [name, hosts.filter(keeps).length])) as Record<Filter, number>,
    [hosts],
  )
  const { waiting } = counts
  const approve = useSave(
    async (ids: readonly string[]) => {
      for (const id of ids) await api.hosts.hosts[':id'].$patch({ param: { id }, json: { approved: true } })
    },
    { old: [['hosts']], done: () => setChosen(new Set()) },
  )
  const approvable = shown.filter((host) => chosen.has(host.id) && !host.approved).map(({ id }) => id)
  return (
    <Page
      title="Hosts"
      answer={`${counts.ready} of ${counts.all} machines ready${waiting > 0 ? `; ${waiting} ${waiting === 1 ? 'waits' : 'wait'} for you` : ''}.`}
    >
      <Stack gap="sm">
        <SelectorInput
          label="Filter by tags"
          placeholder="site=shop-7, role in (edge,db), !spare"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onBlur={() => void navigate({ to: '/hosts', search: { selector: typed || undefined, status }, replace: true })}
          maw={560}
        />
        <Chip.Group
          value={filter}
          onChange={(value) =>
            void navigate({ to: '/hosts', search: { selector: typed || undefined, status: String(value) }, replace: true })
          }
        >
          <Group gap="xs">
            {Object.entries(FILTERS).map(([value, { label }]) => (
              <Chip value={value} key={value} size="sm">
                {label} ({counts[value as Filter]})
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        <Group justify="space-between" mih={36}>
          <Text size="sm" c="dimmed" role="status">
            {shown.length === 1 ? '1 machine' : `${shown.length} machines`} shown{chosen.size > 0 ? `, ${chosen.size} chosen` : ''}
          </Text>
          {approvable.length > 0 && (
            <Button size="xs" loading={approve.isPending} onClick={() => approve.mutate(approvable)}>
              Approve {approvable.length}
            </Button>
          )}
        </Group>
        {approve.error && <ProblemAlert error={approve.error} />}
        <HostTable
          hosts={shown}
          filter={wanted}
          selection={{
            chosen,
            toggle: (id) =>
              setChosen((before) => {
                const after = new Set(before)
                if (!after.delete(id)) after.add(id)
                return after
              }),
          }}
        />
      </Stack>
    </Page>
  )
}
