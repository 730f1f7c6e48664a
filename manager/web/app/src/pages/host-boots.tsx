import { Accordion, Group, Stack, Text } from '@mantine/core'
import type { InferResponseType } from 'hono/client'
import type { api } from '../api/client.ts'
import { bootState, usualMs } from '../parts/boot-times.ts'
import { Empty } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { Waterfall } from '../parts/waterfall.tsx'

export type Timeline = InferResponseType<(typeof api.events.hosts)[':id']['timeline']['$get'], 200>

export function LastBoot({ timeline }: { timeline: Timeline }) {
  const [boot, ...earlier] = timeline.boots
  if (!boot)
    return (
      <Text size="sm">
        No boot was seen yet. Restart the machine with network boot first in its boot order, and each stage appears here as it happens.
      </Text>
    )
  const state = bootState(boot, Date.now())
  const last = boot.stages.at(-1)?.stage
  const reasons = boot.stages.flatMap((stage) => stage.reasons ?? [])
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed" component="div">
        Began <Ago at={boot.startedAt} span />
      </Text>
      <Waterfall stages={boot.stages} state={state} usual={usualMs(earlier)} />
      {state === 'silent' && (
        <Text size="sm" component="div">
          <Status tone="attention">
            Nothing came after <b>{last}</b>, <Ago at={boot.endedAt} span />. Look at the machine's screen, then restart it: the next boot
            begins anew.
          </Status>
        </Text>
      )}
      {reasons.length > 0 && (
        <details>
          <summary>Why it was answered so</summary>
          <ul>
            {[...new Set(reasons)].map((reason) => (
              <li key={reason}>
                <Text size="sm">{reason}</Text>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Stack>
  )
}

export function EarlierBoots({ timeline }: { timeline: Timeline }) {
  const earlier = timeline.boots.slice(1)
  if (earlier.length === 0) return <Empty title="No earlier boots">They appear here one below another, to be compared.</Empty>
  return (
    <Accordion variant="contained" multiple>
      {earlier.map((boot) => (
        <Accordion.Item value={boot.boot} key={boot.boot}>
          <Accordion.Control>
            <Ago at={boot.startedAt} /> {boot.stages.at(-1)?.stage}
          </Accordion.Control>
          <Accordion.Panel>
            <Waterfall stages={boot.stages} state="over" usual={new Map()} />
          </Accordion.Panel>
        </Accordion.Item>
      ))}
    </Accordion>
  )
}

export function Events({ timeline }: { timeline: Timeline }) {
  const events = [...timeline.events].reverse()
  if (events.length === 0) return <Empty title="Nothing happened yet">Facts from the site appear here.</Empty>
  return (
    <Stack gap={4}>
      {events.slice(0, 300).map((event) => (
        <Group key={event.id} gap="md" wrap="nowrap" align="baseline">
          <Ago at={event.at} style={{ flex: '0 0 9rem' }} />
          <Text size="sm" fw={500} style={{ flex: '0 0 10rem' }}>
            {event.kind}
          </Text>
          <Text size="xs" ff="monospace" c="dimmed" truncate>
            {JSON.stringify(event.data)}
          </Text>
        </Group>
      ))}
    </Stack>
  )
}
