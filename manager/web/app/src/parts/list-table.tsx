import { Table, VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'

/**
 * A table of things; it scrolls by itself where the screen is narrower than `minWidth` px. The head `''` is that of the rows' buttons.
 * `widths`: of the columns, where several tables stand one below the other.
 */
export function ListTable({
  heads,
  minWidth,
  widths,
  children,
}: {
  heads: readonly string[]
  minWidth: number
  widths?: readonly string[]
  children: ReactNode
}) {
  return (
    <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ offsetScrollbars: 'present' }}>
      <Table highlightOnHover layout={widths === undefined ? 'auto' : 'fixed'}>
        <Table.Thead>
          <Table.Tr>
            {heads.map((head, index) => (
              <Table.Th key={head} w={widths?.[index]}>
                {head === '' ? <VisuallyHidden>Actions</VisuallyHidden> : head}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
