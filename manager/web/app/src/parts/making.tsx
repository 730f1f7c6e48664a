import { Button, Group, Progress, Stack, Text } from '@mantine/core'
import type { Made } from '../../../../engines/jobs/requests.ts'
import { send } from '../api/made.ts'
import { LogView } from './log-view.tsx'
import { logText, reasonOf } from './made.ts'
import { Status } from './status.tsx'
import { type Room, useProgress } from './use-progress.ts'
import { useSave } from './use-save.ts'

/** Ends a job that makes something; what was asked for stays in the list. */
export function CancelMaking({ room: { path }, hash }: { room: Room; hash: string }) {
  const cancel = useSave(async () => send(`/${path}/${hash}/cancel`, {}), { old: [[path]] })
  return (
    <Button size="compact-sm" variant="default" onClick={() => cancel.mutate(undefined)} loading={cancel.isPending}>
      Cancel
    </Button>
  )
}

/** How far a job is, its log as it is written, and why it failed. What is ready says so in one word. */
export function Making({ room, made, follow }: { room: Room; made: Made; follow: boolean }) {
  const { now, log } = useProgress(room, made, follow)
  const { line, whole } = reasonOf(now.error)
  const lines = log.length > 0 ? logText(log) : (now.lines ?? []).join('\n')
  const text = [lines, whole ?? ''].filter((part) => part !== '').join('\n\n')
  if (now.state === 'ready') return <Status tone="ok">ready</Status>
  if (now.state === 'cancelled') return <Status tone="quiet">cancelled</Status>
  return (
    <Stack gap="xs">
      {now.state === 'failed' ? <Status tone="failed">{line}</Status> : <Bar {...now} />}
      {text !== '' && <LogView text={text} />}
      {now.state === 'failed' && now.error === undefined && <Text size="sm">The log above tells why.</Text>}
    </Stack>
  )
}

function Bar({ fraction, text }: Pick<Made, 'fraction' | 'text'>) {
  return (
    <>
      <Group justify="space-between" wrap="nowrap" gap="md">
        <Status tone="busy">{text || 'waits for its turn'}</Status>
        <Text size="sm" c="dimmed" style={{ fontVariantNumeric: 'tabular-nums' }}>
          {Math.floor(fraction * 100)} %
        </Text>
      </Group>
      <Progress value={fraction * 100} aria-label="Progress" size="sm" transitionDuration={200} />
    </>
  )
}
