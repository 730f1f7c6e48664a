import { Button, Group, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { restOf } from './form-errors.ts'

/** The words of an error that none of the fields in `shown` shows. */
export function Unshown({ error, shown }: { error: Error | null; shown: readonly string[] }) {
  const rest = restOf(error, shown)
  return (
    rest !== undefined && (
      <Text c="red" size="sm" role="alert">
        {rest}
      </Text>
    )
  )
}

/** How a small form ends: what went wrong beyond its fields, and the button with these words. */
export function FormEnd({
  save,
  shown,
  children,
}: {
  save: { error: Error | null; isPending: boolean }
  /** Names of the form's fields. */
  shown: readonly string[]
  children: ReactNode
}) {
  return (
    <>
      <Unshown error={save.error} shown={shown} />
      <Group justify="flex-end">
        <Button type="submit" loading={save.isPending}>
          {children}
        </Button>
      </Group>
    </>
  )
}
