import { Alert, Button, Code, Group, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { pendingQuery } from '../api/queries.ts'
import { Loaded, ProblemAlert, Section } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Site } from '../verdict.ts'
import { FlashCard } from './site-flash.tsx'
import { ApplianceFacts } from './site-services.tsx'

export function EnrolTab({ site }: { site: Site }) {
  return (
    <Stack maw={820}>
      {site.appliance ? (
        <Alert color="green" variant="light" title="This site has its appliance">
          <Text size="sm">
            To replace a dead box, make a new card here: the new box takes its place, with leases and state, and the old one is locked out.
          </Text>
        </Alert>
      ) : (
        <Status tone="busy">Waiting for the appliance of {site.name}; this page turns green by itself.</Status>
      )}
      <FlashCard site={site} />
      <EnrolmentFile site={site} />
      <Claim site={site} />
      <PendingBoxes site={site} />
      <ApplianceFacts site={site} />
    </Stack>
  )
}

function EnrolmentFile({ site }: { site: Site }) {
  const make = useMutation({
    mutationFn: async () => (await api.sites.sites[':id'].tokens.$post({ param: { id: site.id }, json: {} })).json(),
  })
  const save = (config: unknown) => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(config, null, 2)}\n`], { type: 'application/json' }))
    link.download = 'bridgehead.json'
    link.click()
    URL.revokeObjectURL(link.href)
  }
  return (
    <Section title="Or only the enrolment file">
      <Text size="sm">
        For a card that is written already: put <Code>bridgehead.json</Code> on its small FAT partition.
      </Text>
      <Group>
        <Button variant="default" onClick={() => make.mutate()} loading={make.isPending}>
          Make a one-time key
        </Button>
        {make.data && <Button onClick={() => save(make.data.config)}>Save bridgehead.json</Button>}
      </Group>
      {make.error && <ProblemAlert error={make.error} />}
      {make.data && (
        <>
          <Code block aria-label="bridgehead.json">
            {JSON.stringify(make.data.config, null, 2)}
          </Code>
          <Text size="sm" c="dimmed" component="div">
            Works once, until <Ago at={make.data.expiresAt} span />; it is shown this once.
          </Text>
        </>
      )}
    </Section>
  )
}

function Claim({ site }: { site: Site }) {
  const [code, setCode] = useState('')
  const claim = useSave(async () => api.sites.sites[':id'].claim.$post({ param: { id: site.id }, json: { code } }), {
    old: [['sites']],
    done: () => setCode(''),
  })
  return (
    <Section title="Or claim a box by its code">
      <Text size="sm">A box from a generic image shows a code of eight letters on its screen, for ten minutes.</Text>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          claim.mutate(undefined)
        }}
      >
        <Group align="flex-start">
          <TextInput
            label="Code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            error={claim.error?.message}
            required
            autoComplete="off"
            autoCapitalize="characters"
            maxLength={20}
          />
          <Button type="submit" variant="default" mt={25} loading={claim.isPending}>
            Claim
          </Button>
        </Group>
      </form>
    </Section>
  )
}

function PendingBoxes({ site }: { site: Site }) {
  const pending = useQuery({ ...pendingQuery(site.id), refetchInterval: 10_000 })
  const approve = useSave(async (box: string) => api.sites.sites[':id'].pending[':box'].approve.$post({ param: { id: site.id, box } }), {
    old: [['sites']],
  })
  const dismiss = useSave(async (box: string) => api.sites.sites[':id'].pending[':box'].$delete({ param: { id: site.id, box } }), {
    old: [['sites']],
  })
  if (pending.data?.length === 0) return null
  return (
    <Section title="Another box came with a spent key">
      <Loaded query={pending}>
        {(boxes) =>
          boxes.map((box) => (
            <Group key={box.id} justify="space-between">
              <Text size="sm" component="div">
                <Code>{box.code}</Code> {[box.hardware.model, box.hardware.serial, box.hardware.macs[0]].filter(Boolean).join(', ')}, seen{' '}
                <Ago at={box.lastSeen} span />
              </Text>
              <Group gap="xs">
                <Button size="xs" onClick={() => approve.mutate(box.id)} loading={approve.isPending}>
                  It takes this site's place
                </Button>
                <Button size="xs" variant="default" onClick={() => dismiss.mutate(box.id)}>
                  Dismiss
                </Button>
              </Group>
            </Group>
          ))
        }
      </Loaded>
      {approve.error && <ProblemAlert error={approve.error} />}
    </Section>
  )
}
