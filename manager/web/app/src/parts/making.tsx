import { Code, Progress, Stack, Text } from '@mantine/core'
import { Status } from './status.tsx'

/** How far a job is, its last lines, and why it failed. */
export function Making({
  state,
  fraction,
  text,
  error,
  lines,
}: {
  state: string
  fraction: number
  text: string
  error?: string | undefined
  lines?: string[] | undefined
}) {
  if (state === 'ready') return <Status tone="ok">ready</Status>
  if (state === 'cancelled') return <Status tone="quiet">cancelled</Status>
  return (
    <Stack gap={4}>
      {state === 'failed' ? (
        <Status tone="failed">{error ?? 'failed'}</Status>
      ) : (
        <>
          <Status tone="busy">{text || 'waits for its turn'}</Status>
          <Progress value={fraction * 100} aria-label="Progress" size="sm" />
        </>
      )}
      {lines && lines.length > 0 && (
        <Code block mah={260} style={{ overflow: 'auto' }} tabIndex={0} aria-label="Log">
          {lines.join('\n')}
        </Code>
      )}
      {state === 'failed' && error === undefined && <Text size="sm">The log above tells why.</Text>}
    </Stack>
  )
}
