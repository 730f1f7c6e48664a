import { Box, Checkbox, Text, VisuallyHidden } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useRef } from 'react'
import { Link } from '../parts/link.tsx'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { type Host, hostVerdict } from '../verdict.ts'

const ROW = 40
const COLUMNS = 'minmax(140px, 1.4fr) minmax(150px, 1.4fr) minmax(90px, 1fr) 130px 150px minmax(110px, 1fr) 120px'
const HEADS = ['Machine', 'State', 'Site', 'Address', 'MAC address', 'Model', 'Seen'] as const

export interface Selection {
  chosen: ReadonlySet<string>
  toggle(id: string): void
}

/** Ten thousand rows are no more work than those on the screen. */
export function HostTable({ hosts, filter, selection }: { hosts: readonly Host[]; filter?: string; selection?: Selection }) {
  const scroller = useRef<HTMLDivElement>(null)
  const rows = useVirtualizer({ count: hosts.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12 })
  const columns = selection ? `32px ${COLUMNS}` : COLUMNS
  const line = { display: 'grid', gridTemplateColumns: columns, alignItems: 'center', gap: 12, minWidth: 900, padding: '0 12px' } as const
  return (
    <Box
      ref={scroller}
      role="table"
      aria-label="Machines"
      data-filter={filter} // what these rows answer; it follows the typing
      aria-rowcount={hosts.length + 1}
      tabIndex={0}
      style={{
        overflow: 'auto',
        maxHeight: 'max(320px, calc(100vh - 280px))',
        border: '1px solid var(--mantine-color-default-border)',
        borderRadius: 4,
      }}
    >
      <Box
        role="row"
        aria-rowindex={1}
        style={{
          ...line,
          height: ROW,
          position: 'sticky',
          top: 0,
          zIndex: 1,
          background: 'var(--mantine-color-body)',
          borderBottom: '1px solid var(--mantine-color-default-border)',
        }}
      >
        {selection && (
          <span role="columnheader">
            <VisuallyHidden>Chosen</VisuallyHidden>
          </span>
        )}
        {HEADS.map((head) => (
          <Text role="columnheader" size="sm" fw={600} key={head}>
            {head}
          </Text>
        ))}
      </Box>
      <div role="rowgroup" style={{ height: rows.getTotalSize(), position: 'relative', minWidth: 900 }}>
        {rows.getVirtualItems().map(({ index, start, key }) => {
          const host = hosts[index]
          return (
            host && (
              <div
                key={key}
                role="row"
                aria-rowindex={index + 2}
                style={{ ...line, height: ROW, position: 'absolute', top: 0, left: 0, right: 0, transform: `translateY(${start}px)` }}
              >
                {selection && (
                  <span role="cell">
                    <Checkbox
                      size="xs"
                      aria-label={`Choose ${host.name}`}
                      checked={selection.chosen.has(host.id)}
                      onChange={() => selection.toggle(host.id)}
                    />
                  </span>
                )}
                <HostCells host={host} />
              </div>
            )
          )
        })}
      </div>
    </Box>
  )
}

const HostCells = memo(function HostCells({ host }: { host: Host }) {
  const { tone, words } = hostVerdict(host)
  const cut = { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' } as const
  return (
    <>
      <span role="cell" style={cut}>
        <Link to="/hosts/$id" params={{ id: host.id }} size="sm" fw={500}>
          {host.name}
        </Link>
      </span>
      <span role="cell" style={cut} title={words}>
        <Status tone={tone}>{words}</Status>
      </span>
      <Text role="cell" size="sm" style={cut}>
        {host.siteName}
      </Text>
      <Text role="cell" size="sm" ff="monospace">
        {host.address ?? host.ip ?? '–'}
      </Text>
      <Text role="cell" size="sm" ff="monospace">
        {host.macs[0] ?? '–'}
      </Text>
      <Text role="cell" size="sm" style={cut}>
        {host.facts.product ?? host.facts.vendor ?? '–'}
      </Text>
      <span role="cell">{host.lastSeen === undefined ? <Text size="sm">never</Text> : <Ago at={host.lastSeen} />}</span>
    </>
  )
})
