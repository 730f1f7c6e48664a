import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { rolloutsQuery, sitesQuery } from '../api/queries.ts'
import { LinkButton } from '../parts/link.tsx'
import { Page } from '../parts/page.tsx'
import { PageTabs } from '../parts/page-tabs.tsx'
import { versionsSentence } from './rollout-words.ts'
import { ImagesTab } from './updates-images.tsx'
import { ReleasesTab } from './updates-releases.tsx'
import { RolloutsTab } from './updates-rollouts.tsx'

/** The systems of the boxes: images are built, offered as releases, and brought to sites by rollouts. */
export function UpdatesPage() {
  const { tab } = useSearch({ from: '/shell/updates' })
  const sites = useQuery(sitesQuery)
  const rollouts = useQuery(rolloutsQuery)
  const going = (rollouts.data ?? []).filter(({ state }) => state === 'running' || state === 'paused')
  const words = going.map(({ release, state }) => ` ${release.version} is ${state === 'paused' ? 'paused' : 'on its way'}.`).join('')
  return (
    <Page
      title="Updates"
      answer={sites.data && `${versionsSentence(sites.data)}${words}`}
      actions={<LinkButton to="/updates/rollouts/new">New rollout</LinkButton>}
    >
      <PageTabs
        chosen={tab}
        tabs={{
          rollouts: ['Rollouts', <RolloutsTab key="rollouts" />],
          releases: ['Releases', <ReleasesTab key="releases" />],
          images: ['Images', <ImagesTab key="images" />],
        }}
      />
    </Page>
  )
}
