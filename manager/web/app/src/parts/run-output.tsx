import { formatMs } from '@bridgehead/shared/text/format.ts'
import { Code, Group, Stack, Text } from '@mantine/core'
import type { InferResponseType } from 'hono/client'
import type { api } from '../api/client.ts'
import { Link } from './link.tsx'
import { Status, type Tone } from './status.tsx'

type Run = InferResponseType<(typeof api.runs.runs)[':id']['$get'], 200>
type RunHost = Run['hosts'][number]

/** How one host's part of a run went. Pure. */
export function runVerdict({ state, exitCode, error, ms }: Pick<RunHost, 'state' | 'exitCode' | 'error' | 'ms'>): {
  tone: Tone
  words: string
} {
  const took = ms === undefined ? '' : ` in ${formatMs(ms)}`
  switch (state) {
    case 'queued':
      return { tone: 'busy', words: 'on its way to the site' }
    case 'running':
      return { tone: 'busy', words: 'running' }
    case 'expired':
      return { tone: 'failed', words: error ?? 'the site did not come back in time' }
    case 'failed':
      return { tone: 'failed', words: error ?? 'failed' }
    case 'finished':
      return exitCode === 0 ? { tone: 'ok', words: `done${took}` } : { tone: 'failed', words: `exit code ${exitCode ?? 'unknown'}${took}` }
  }
}

export function RunOutput({ run }: { run: Run }) {
  return (
    <Stack aria-live="polite">
      {run.hosts.map((part) => {
        const { tone, words } = runVerdict(part)
        return (
          <Stack gap={4} key={part.id}>
            <Group gap="md">
              <Link to="/hosts/$id" params={{ id: part.host }} size="sm" fw={500}>
                {part.hostName ?? part.host}
              </Link>
              <Status tone={tone}>{words}</Status>
            </Group>
            {part.stdout && (
              <Code block mah={420} style={{ overflow: 'auto' }} tabIndex={0} aria-label="Output">
                {part.stdout}
              </Code>
            )}
            {part.stderr && (
              <>
                <Text size="xs" c="dimmed">
                  standard error
                </Text>
                <Code block mah={240} style={{ overflow: 'auto' }} tabIndex={0} aria-label="Errors">
                  {part.stderr}
                </Code>
              </>
            )}
          </Stack>
        )
      })}
    </Stack>
  )
}
