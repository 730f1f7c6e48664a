import { Alert, Box, Button, Group, Loader, Paper, Stack, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ApiProblem } from '../api/problem.ts'

/** A page: its name, one sentence that answers first, what one can do, then the rest. */
export function Page({
  title,
  answer,
  actions,
  children,
}: {
  title: string
  answer?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  useDocumentTitle(`${title} · Bridgehead`)
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-start" gap="md">
        <Box flex="1 1 20rem">
          <Title order={1} size="h2">
            {title}
          </Title>
          {answer !== undefined && (
            <Text mt={4} c="dimmed" component="div">
              {answer}
            </Text>
          )}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  )
}

/** What is where nothing is yet: what it is for, and the next step. */
export function Empty({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <Paper withBorder p="xl">
      <Stack align="flex-start" gap="sm" maw={560}>
        <Title order={2} size="h4">
          {title}
        </Title>
        <Text component="div">{children}</Text>
        {action}
      </Stack>
    </Paper>
  )
}

export function ProblemAlert({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof ApiProblem ? error : undefined
  return (
    <Alert color="red" variant="light" title={problem?.status === 404 ? 'There is no such thing' : 'That did not work'} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{error instanceof Error ? error.message : String(error)}</Text>
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  )
}

/** What a query has: its data, or a word on why it has none. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.error) return <ProblemAlert error={query.error} retry={() => void query.refetch()} />
  return (
    <Group role="status" aria-label="loading">
      <Loader size="sm" />
      <Text c="dimmed">Asking the manager ...</Text>
    </Group>
  )
}

export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4">
            {title}
          </Title>
          {actions}
        </Group>
        {children}
      </Stack>
    </Paper>
  )
}

/** Name and value, one below the other. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode] | undefined)[] }) {
  return (
    <Box component="dl" m={0} style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: '6px 16px' }}>
      {rows.map(
        (row) =>
          row && [
            <Text component="dt" size="sm" c="dimmed" key={`${row[0]}-name`}>
              {row[0]}
            </Text>,
            <Text component="dd" size="sm" m={0} key={row[0]} style={{ overflowWrap: 'anywhere' }}>
              {row[1]}
            </Text>,
          ],
      )}
    </Box>
  )
}
