import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { siteHostsQuery, siteQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { MoreMenu } from '../parts/more-menu.tsx'
import { Loaded, Page } from '../parts/page.tsx'
import { PageTabs } from '../parts/page-tabs.tsx'
import { Status } from '../parts/status.tsx'
import { useNow } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { type Site, siteVerdict } from '../verdict.ts'
import { EnrolTab } from './site-enrol.tsx'
import { SiteHosts } from './site-hosts.tsx'
import { LeasesTab, NamesTab } from './site-network.tsx'
import { ServicesTab } from './site-services.tsx'
import { SettingsTab } from './site-settings.tsx'

export function SitePage() {
  const { id } = useParams({ from: '/shell/sites/$id' })
  const site = useQuery(siteQuery(id))
  return <Loaded query={site}>{(found) => <SiteView site={found} />}</Loaded>
}

function SiteView({ site }: { site: Site }) {
  const now = useNow()
  const hosts = useQuery(siteHostsQuery(site.id))
  const { tab = site.appliance ? 'services' : 'enrol' } = useSearch({ from: '/shell/sites/$id' })
  const navigate = useNavigate()
  const [deleting, { open, close }] = useDisclosure(false)
  const remove = useSave(async () => api.sites.sites[':id'].$delete({ param: { id: site.id } }), {
    old: [['sites'], ['hosts']],
    done: () => void navigate({ to: '/sites' }),
  })
  const verdict = siteVerdict(site, now)
  const machines = hosts.data ?? []
  const waiting = machines.filter((host) => !host.approved && !host.retired).length
  return (
    <Page
      title={site.name}
      answer={
        <>
          <Status tone={verdict.tone}>{verdict.words}</Status>
          {waiting > 0 && `; ${waiting} ${waiting === 1 ? 'machine waits' : 'machines wait'} for you`}
        </>
      }
      actions={<MoreMenu acts={[{ label: 'Delete this site ...', grave: true, act: open }]} />}
    >
      <PageTabs
        chosen={tab}
        tabs={{
          services: ['Services', <ServicesTab key="services" site={site} />],
          hosts: ['Machines', <SiteHosts key="hosts" hosts={machines} />],
          leases: ['Leases', <LeasesTab key="leases" site={site} />],
          names: ['Names', <NamesTab key="names" site={site} />],
          settings: ['Settings', <SettingsTab key="settings" site={site} />],
          enrol: ['Appliance', <EnrolTab key="enrol" site={site} />],
        }}
      />
      <ConfirmByName
        opened={deleting}
        onClose={close}
        act="Delete site"
        name={site.name}
        goes={`Its ${machines.length} machines leave the registry and its appliance is locked out. The machines themselves keep running.`}
        confirm={() => remove.mutateAsync(undefined)}
      />
    </Page>
  )
}
