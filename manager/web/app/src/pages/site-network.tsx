import { Table, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { leasesQuery, namesQuery } from '../api/queries.ts'
import { Link } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'
import type { Site } from '../verdict.ts'

export function LeasesTab({ site }: { site: Site }) {
  const leases = useQuery(leasesQuery(site.id))
  const serves = site.lans.some((lan) => lan.mode === 'serve')
  return (
    <Loaded query={leases}>
      {(items) =>
        items.length === 0 ? (
          <Empty title="No leases">
            {serves
              ? 'The appliance gives addresses here, and nobody has asked yet.'
              : 'Your router gives the addresses here: the appliance only does in serve mode.'}
          </Empty>
        ) : (
          <ListTable heads={['Address', 'MAC address', 'Name', 'Machine', 'LAN', 'Ends']} minWidth={600}>
            {items.map((lease) => (
              <Table.Tr key={`${lease.lan} ${lease.ip}`}>
                <Table.Td ff="monospace">{lease.ip}</Table.Td>
                <Table.Td ff="monospace">{lease.mac}</Table.Td>
                <Table.Td>{lease.hostname ?? '–'}</Table.Td>
                <Table.Td>
                  {lease.host ? (
                    <Link to="/hosts/$id" params={{ id: lease.host.id }} size="sm">
                      {lease.host.name}
                    </Link>
                  ) : (
                    '–'
                  )}
                </Table.Td>
                <Table.Td>{lease.lan}</Table.Td>
                <Table.Td>
                  <Ago at={lease.until} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )
      }
    </Loaded>
  )
}

export function NamesTab({ site }: { site: Site }) {
  const names = useQuery(namesQuery(site.id))
  return (
    <Loaded query={names}>
      {(items) =>
        items.length === 0 ? (
          <Empty title="No names yet">
            Each machine with an address gets a name in {site.dns.zone}; your own records come from the settings.
          </Empty>
        ) : (
          <ListTable heads={['Name', 'Type', 'Value', 'From']} minWidth={480}>
            {items.map((name) => (
              <Table.Tr key={`${name.name} ${name.type} ${name.value}`}>
                <Table.Td>{name.name}</Table.Td>
                <Table.Td>{name.type}</Table.Td>
                <Table.Td ff="monospace">{name.value}</Table.Td>
                <Table.Td>
                  <Text size="sm">{name.from ?? '–'}</Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )
      }
    </Loaded>
  )
}
