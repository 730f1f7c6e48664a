import { Table, VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'

/** A table of things; it scrolls by itself where the screen is narrower than `minWidth` px. The head `''` is that of the rows' buttons. */
export function ListTable({ heads, minWidth, children }: { heads: readonly string[]; minWidth: number; children: ReactNode }) {
  return (
    <Table.ScrollContainer minWidth={minWidth}>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {heads.map((head) => (
              <Table.Th key={head}>{head === '' ? <VisuallyHidden>Actions</VisuallyHidden> : head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
