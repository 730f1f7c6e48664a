import { Table } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { releasesQuery } from '../api/queries.ts'
import { boardName } from '../parts/board.ts'
import { LinkButton } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { Ago, useNow } from '../parts/time.tsx'

export function ReleasesTab() {
  const releases = useQuery(releasesQuery)
  const now = useNow()
  return (
    <Loaded query={releases}>
      {(items) =>
        items.length === 0 ? (
          <Empty
            title="No release yet"
            action={
              <LinkButton to="/updates" search={{ tab: 'images' }}>
                Choose an image
              </LinkButton>
            }
          >
            A release offers the system of an image to your sites, on terms: from which version on, until when. Nothing happens at any site
            until a rollout tells it.
          </Empty>
        ) : (
          <ListTable heads={['Version', 'Box', 'For boxes from', 'Ends', 'By', 'Made', '']} minWidth={700}>
            {items.map(({ id, version, board, manifest, createdBy, createdAt }) => (
              <Table.Tr key={id}>
                <Table.Td fw={500}>{manifest.rollback ? `${version}, also back to it` : version}</Table.Td>
                <Table.Td>{boardName(board)}</Table.Td>
                <Table.Td>{manifest.floor === '0.0.0' ? 'any version' : `${manifest.floor} on`}</Table.Td>
                <Table.Td>{manifest.expiresAt <= now ? <Status tone="quiet">has ended</Status> : <Ago at={manifest.expiresAt} />}</Table.Td>
                <Table.Td>{createdBy}</Table.Td>
                <Table.Td>
                  <Ago at={createdAt} />
                </Table.Td>
                <Table.Td>
                  {manifest.expiresAt > now && (
                    <LinkButton
                      to="/updates/rollouts/new"
                      search={{ release: id }}
                      size="compact-xs"
                      variant="subtle"
                      aria-label={`Roll out ${version} for ${boardName(board)}`}
                    >
                      Roll out ...
                    </LinkButton>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )
      }
    </Loaded>
  )
}
