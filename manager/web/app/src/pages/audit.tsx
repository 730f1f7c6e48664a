import { Button, Group, Table, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { auditQuery } from '../api/queries.ts'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Page, ProblemAlert } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'

export function AuditPage() {
  const audit = useInfiniteQuery(auditQuery)
  const items = audit.data?.pages.flat() ?? []
  return (
    <Page title="Audit log" answer="Who changed what, newest first. Secrets are never written here.">
      {audit.error && <ProblemAlert error={audit.error} retry={() => void audit.refetch()} />}
      {audit.isSuccess && items.length === 0 && (
        <Empty title="Nothing was changed yet">Every change by a person or an API key appears here.</Empty>
      )}
      {items.length > 0 && (
        <ListTable heads={['When', 'Who', 'What', 'On', 'Details']} minWidth={720}>
          {items.map((entry) => (
            <Table.Tr key={entry.seq}>
              <Table.Td>
                <Ago at={entry.at} />
              </Table.Td>
              <Table.Td>
                {entry.actor.name}
                {entry.actor.kind === 'user' ? '' : ` (${entry.actor.kind === 'key' ? 'API key' : 'appliance'})`}
              </Table.Td>
              <Table.Td>{entry.action}</Table.Td>
              <Table.Td>{entry.target?.name ?? entry.target?.id ?? '–'}</Table.Td>
              <Table.Td>
                <Text size="xs" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                  {detailText(entry.detail)}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </ListTable>
      )}
      {audit.hasNextPage && (
        <Group>
          <Button variant="default" onClick={() => void audit.fetchNextPage()} loading={audit.isFetchingNextPage}>
            Earlier changes
          </Button>
        </Group>
      )}
    </Page>
  )
}

const detailText = (detail: Readonly<Record<string, unknown>>) =>
  Object.entries(detail)
    .map(([field, value]) => `${field}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
