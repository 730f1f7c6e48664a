import { Table, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { applianceImagesQuery } from '../api/made.ts'
import { releasesQuery, rolloutsQuery } from '../api/queries.ts'
import { boardName } from '../parts/board.ts'
import { Link, LinkButton } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { rolloutWords, STATE_TONES, waveName } from './rollout-words.ts'

export function RolloutsTab() {
  const rollouts = useQuery(rolloutsQuery)
  return (
    <Loaded query={rollouts}>
      {(items) =>
        items.length === 0 ? (
          <NoRollout />
        ) : (
          <ListTable heads={['Release', 'How far', 'Waves', 'By', 'Ordered']} minWidth={640}>
            {items.map((rollout) => (
              <Table.Tr key={rollout.id}>
                <Table.Td>
                  <Link to="/updates/rollouts/$id" params={{ id: rollout.id }} size="sm" fw={500}>
                    {rollout.release.version}
                  </Link>
                  <Text size="xs" c="dimmed">
                    {boardName(rollout.release.board)}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Status tone={STATE_TONES[rollout.state]}>{rolloutWords(rollout)}</Status>
                </Table.Td>
                <Table.Td>{rollout.waves.map(waveName).join(', then ')}</Table.Td>
                <Table.Td>{rollout.createdBy}</Table.Td>
                <Table.Td>
                  <Ago at={rollout.createdAt} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )
      }
    </Loaded>
  )
}

function NoRollout() {
  const releases = useQuery(releasesQuery)
  const images = useQuery(applianceImagesQuery)
  const some = (releases.data?.length ?? 0) > 0
  const built = images.data?.some(({ state }) => state === 'ready')
  return (
    <Empty
      title="No rollout yet"
      action={
        some ? (
          <LinkButton to="/updates/rollouts/new">New rollout</LinkButton>
        ) : (
          <LinkButton to="/updates" search={{ tab: 'images' }}>
            {built ? 'Choose an image' : 'Build an image'}
          </LinkButton>
        )
      }
    >
      An update takes three steps: build an image of the new version, make a release of it, and bring the release to your sites by a
      rollout, a few of them first. A box that does not come up with it goes back by itself, and the rollout stops.
    </Empty>
  )
}
