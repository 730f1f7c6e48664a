import { LinkButton } from '../parts/link.tsx'
import { Empty } from '../parts/page.tsx'
import type { Host } from '../verdict.ts'
import { HostTable } from './host-table.tsx'

export function SiteHosts({ hosts }: { hosts: Host[] }) {
  if (hosts.length === 0)
    return (
      <Empty title="No machine was seen here yet" action={<LinkButton to="/hosts">All machines</LinkButton>}>
        Switch one on with network boot (PXE) first in its boot order. It appears by itself as soon as it asks for an address.
      </Empty>
    )
  return <HostTable hosts={hosts} />
}
