import { Stack, Table, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { hostsQuery, rolloutsQuery, sitesQuery } from '../api/queries.ts'
import { Link, LinkButton } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded, Page, Section } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { Ago, useNow } from '../parts/time.tsx'
import { type Host, hostVerdict, overviewSentence, type Site, siteVerdict } from '../verdict.ts'
import { heldRollouts, rolloutWords, STATE_TONES } from './rollout-words.ts'

export function OverviewPage() {
  const sites = useQuery(sitesQuery)
  const hosts = useQuery(hostsQuery)
  return <Loaded query={sites}>{(all) => <Loaded query={hosts}>{(machines) => <Overview sites={all} hosts={machines} />}</Loaded>}</Loaded>
}

function Overview({ sites, hosts }: { sites: Site[]; hosts: Host[] }) {
  const now = useNow()
  const rollouts = useQuery(rolloutsQuery)
  if (sites.length === 0)
    return (
      <Page title="Overview" answer="Everything is ready for your first site.">
        <FirstSite />
      </Page>
    )
  const verdicts = sites.map((site) => ({ site, verdict: siteVerdict(site, now) }))
  const waiting = hosts.filter((host) => !host.approved && !host.retired)
  const failed = hosts.filter((host) => host.status === 'failed' && !host.retired)
  const held = heldRollouts(rollouts.data ?? [], now)
  const attention = verdicts.filter(({ verdict }) => verdict.tone === 'attention' || verdict.tone === 'failed')
  return (
    <Page
      title="Overview"
      answer={overviewSentence(
        verdicts.map(({ verdict }) => verdict),
        waiting.length,
        failed.length,
      )}
      actions={<LinkButton to="/sites/new">Add a site</LinkButton>}
    >
      {attention.length + held.length + waiting.length + failed.length > 0 && (
        <Section title="Needs attention">
          <Stack gap="xs">
            {attention.map(({ site, verdict }) => (
              <Status tone={verdict.tone} key={site.id}>
                <Link to="/sites/$id" params={{ id: site.id }}>
                  {site.name}
                </Link>{' '}
                {verdict.words}
              </Status>
            ))}
            {held.map((rollout) => (
              <Status tone={STATE_TONES[rollout.state]} key={rollout.id}>
                <Link to="/updates/rollouts/$id" params={{ id: rollout.id }}>
                  Rollout of {rollout.release.version}
                </Link>{' '}
                {rolloutWords(rollout)}
              </Status>
            ))}
            {failed.slice(0, 10).map((host) => (
              <Status tone="failed" key={host.id}>
                <Link to="/hosts/$id" params={{ id: host.id }}>
                  {host.name}
                </Link>{' '}
                at {host.siteName}: {hostVerdict(host).words}
              </Status>
            ))}
            {waiting.slice(0, 10).map((host) => (
              <Status tone="attention" key={host.id}>
                <Link to="/hosts/$id" params={{ id: host.id }}>
                  {host.name}
                </Link>{' '}
                at {host.siteName} waits for approval
              </Status>
            ))}
            {waiting.length > 10 && (
              <Link to="/hosts" search={{ status: 'waiting' }} size="sm">
                {waiting.length - 10} more machines wait
              </Link>
            )}
          </Stack>
        </Section>
      )}
      <Section title="Sites">
        <SiteTable sites={sites} hosts={hosts} now={now} />
      </Section>
    </Page>
  )
}

export function FirstSite() {
  return (
    <Empty title="Add your first site" action={<LinkButton to="/sites/new">Add a site</LinkButton>}>
      A site is a place with machines: a shop, a flat, a rack. You give it a name and tell its network; then you flash one card or disk for
      a small box there, and every machine on that network that starts from the network appears here.
    </Empty>
  )
}

export function SiteTable({ sites, hosts, now }: { sites: Site[]; hosts: Host[]; now: number }) {
  const count = new Map<string, number>()
  for (const host of hosts) if (!host.retired) count.set(host.site, (count.get(host.site) ?? 0) + 1)
  return (
    <ListTable heads={['Site', 'Health', 'Machines', 'Appliance', 'Revision', 'Heard of']} minWidth={560}>
      {sites.map((site) => {
        const verdict = siteVerdict(site, now)
        return (
          <Table.Tr key={site.id}>
            <Table.Td>
              <Link to="/sites/$id" params={{ id: site.id }} fw={500}>
                {site.name}
              </Link>
            </Table.Td>
            <Table.Td>
              <Status tone={verdict.tone}>{verdict.words}</Status>
            </Table.Td>
            <Table.Td>{count.get(site.id) ?? 0}</Table.Td>
            <Table.Td>{site.appliance?.booted?.image ?? site.appliance?.version ?? '–'}</Table.Td>
            <Table.Td>
              {site.appliance ? `${site.appliance.appliedRevision ?? 0} of ${site.stateRevision}` : `${site.stateRevision}`}
            </Table.Td>
            <Table.Td>{site.online ? <Ago at={site.online.at} /> : <Text size="sm">–</Text>}</Table.Td>
          </Table.Tr>
        )
      })}
    </ListTable>
  )
}
