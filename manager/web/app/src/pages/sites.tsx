import { useQuery } from '@tanstack/react-query'
import { hostsQuery, sitesQuery } from '../api/queries.ts'
import { LinkButton } from '../parts/link.tsx'
import { Loaded, Page, Section } from '../parts/page.tsx'
import { useNow } from '../parts/time.tsx'
import { overviewSentence, siteVerdict } from '../verdict.ts'
import { FirstSite, SiteTable } from './overview.tsx'

export function SitesPage() {
  const now = useNow()
  const sites = useQuery(sitesQuery)
  const hosts = useQuery(hostsQuery)
  return (
    <Loaded query={sites}>
      {(all) => (
        <Page
          title="Sites"
          answer={
            all.length === 0
              ? 'None yet.'
              : overviewSentence(
                  all.map((site) => siteVerdict(site, now)),
                  0,
                  0,
                )
          }
          actions={<LinkButton to="/sites/new">Add a site</LinkButton>}
        >
          {all.length === 0 ? (
            <FirstSite />
          ) : (
            <Section title="All sites">
              <SiteTable sites={all} hosts={hosts.data ?? []} now={now} />
            </Section>
          )}
        </Page>
      )}
    </Loaded>
  )
}
