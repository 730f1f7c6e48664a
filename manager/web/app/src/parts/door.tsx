import { Box, Center, Group, Paper, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import type { ReactNode } from 'react'

/** The frame of pages before the sign-in. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  useDocumentTitle(`${title} · Bridgehead`)
  return (
    <Center mih="100vh" p="md" component="main">
      <Box w="100%" maw={420}>
        <Group gap="sm" mb="lg" justify="center">
          <img src="/bridgehead.svg" width="40" height="40" alt="" />
          <Title order={1} size="h3">
            {title}
          </Title>
        </Group>
        <Paper withBorder p="lg">
          {children}
        </Paper>
      </Box>
    </Center>
  )
}
