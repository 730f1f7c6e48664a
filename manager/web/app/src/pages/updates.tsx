import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { rolloutsQuery, sitesQuery } from '../api/queries.ts'
import { LinkButton } from '../parts/link.tsx'
import { Page } from '../parts/page.tsx'
import { versionsSentence } from './rollout-words.ts'
import { ImagesTab } from './updates-images.tsx'
import { ReleasesTab } from './updates-releases.tsx'
import { RolloutsTab } from './updates-rollouts.tsx'

const TABS = { rollouts: 'Rollouts', releases: 'Releases', images: 'Images' } as const

/** The systems of the boxes: images are built, offered as releases, and brought to sites by rollouts. */
export function UpdatesPage() {
  const { tab = 'rollouts' } = useSearch({ from: '/shell/updates' })
  const navigate = useNavigate()
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
      <Tabs
        value={tab in TABS ? tab : 'rollouts'}
        onChange={(value) => value && void navigate({ to: '/updates', search: { tab: value }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {Object.entries(TABS).map(([value, label]) => (
            <Tabs.Tab value={value} key={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="rollouts">
          <RolloutsTab />
        </Tabs.Panel>
        <Tabs.Panel value="releases">
          <ReleasesTab />
        </Tabs.Panel>
        <Tabs.Panel value="images">
          <ImagesTab />
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}
