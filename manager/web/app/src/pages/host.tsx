import { Accordion, Button, Code, Group, Menu, SimpleGrid, Stack, Tabs, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import type { InferResponseType } from 'hono/client'
import { api } from '../api/client.ts'
import { explainQuery, hostQuery, timelineQuery } from '../api/queries.ts'
import { bootState, usualMs } from '../parts/boot-times.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Link } from '../parts/link.tsx'
import { Empty, Facts, Loaded, Page, ProblemAlert, Section } from '../parts/page.tsx'
import { shortKey } from '../parts/short-key.ts'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { Waterfall } from '../parts/waterfall.tsx'
import { type Host, hostVerdict } from '../verdict.ts'
import { HostSettings } from './host-settings.tsx'
import { RunOnHost } from './run-on-host.tsx'

type Timeline = InferResponseType<(typeof api.events.hosts)[':id']['timeline']['$get'], 200>
export function HostPage() {
  const { id } = useParams({ from: '/shell/hosts/$id' })
  const host = useQuery(hostQuery(id))
  return <Loaded query={host}>{(found) => <HostView host={found} key={found.id} />}</Loaded>
}

function HostView({ host }: { host: Host }) {
  const timeline = useQuery(timelineQuery(host.id))
  const { tone, words } = hostVerdict(host)
  return (
    <Page
      title={host.name}
      answer={
        <>
          <Status tone={tone}>{words}</Status> at{' '}
          <Link to="/sites/$id" params={{ id: host.site }}>
            {host.siteName}
          </Link>
          {host.intent && `; ${intentWords(host.intent)}`}
        </>
      }
      actions={<HostActions host={host} />}
    >
      <Section title="Last boot">
        <Loaded query={timeline}>{(found) => <LastBoot timeline={found} />}</Loaded>
      </Section>
      <Tabs defaultValue="facts" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="facts">Inventory</Tabs.Tab>
          <Tabs.Tab value="explain">Next boot</Tabs.Tab>
          <Tabs.Tab value="run">Run a script</Tabs.Tab>
          <Tabs.Tab value="boots">Earlier boots</Tabs.Tab>
          <Tabs.Tab value="events">Events</Tabs.Tab>
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="facts">
          <Inventory host={host} />
        </Tabs.Panel>
        <Tabs.Panel value="explain">
          <Explain host={host} />
        </Tabs.Panel>
        <Tabs.Panel value="run">
          <RunOnHost host={host} />
        </Tabs.Panel>
        <Tabs.Panel value="boots">
          <Loaded query={timeline}>{(found) => <EarlierBoots timeline={found} />}</Loaded>
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <Loaded query={timeline}>{(found) => <Events timeline={found} />}</Loaded>
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <HostSettings host={host} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}

function intentWords({ kind, state, why }: NonNullable<Host['intent']>): string {
  if (state === 'failed') return `${kind} failed${why === undefined ? '' : `: ${why}`}`
  return state === 'started' ? `${kind} is under way` : `${kind} at its next boot`
}

function HostActions({ host }: { host: Host }) {
  const navigate = useNavigate()
  const [installing, install] = useDisclosure(false)
  const [forgetting, forget] = useDisclosure(false)
  const old = [['hosts']]
  const approve = useSave(async () => api.hosts.hosts[':id'].$patch({ param: { id: host.id }, json: { approved: true } }), { old })
  const intend = useSave(
    async (kind: 'install' | 'local-disk') => api.hosts.hosts[':id'].intent.$post({ param: { id: host.id }, json: { kind } }),
    { old },
  )
  const forgo = useSave(async () => api.hosts.hosts[':id'].intent.$delete({ param: { id: host.id } }), { old })
  const remove = useSave(async () => api.hosts.hosts[':id'].$delete({ param: { id: host.id } }), {
    old,
    done: () => void navigate({ to: '/hosts' }),
  })
  const error = approve.error ?? intend.error ?? forgo.error
  return (
    <Stack gap="xs" align="flex-end">
      <Group gap="xs">
        {!host.approved && (
          <Button onClick={() => approve.mutate(undefined)} loading={approve.isPending}>
            Approve
          </Button>
        )}
        {host.approved && host.intent?.state !== 'pending' && (
          <Button
            onClick={install.open}
            disabled={host.profile === undefined}
            title={host.profile === undefined ? 'Choose a profile in its settings first' : ''}
          >
            Install ...
          </Button>
        )}
        {host.intent?.state === 'pending' && (
          <Button variant="default" onClick={() => forgo.mutate(undefined)} loading={forgo.isPending}>
            Take back: {host.intent.kind}
          </Button>
        )}
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default">More</Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => intend.mutate('local-disk')}>Boot from its disk next time</Menu.Item>
            <Menu.Item color="red" onClick={forget.open}>
              Forget this machine ...
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
      {error && <ProblemAlert error={error} />}
      <ConfirmByName
        opened={installing}
        onClose={install.close}
        act="Install"
        name={host.name}
        goes="Everything on its disk is overwritten at its next boot from the network."
        confirm={() => intend.mutateAsync('install')}
      />
      <ConfirmByName
        opened={forgetting}
        onClose={forget.close}
        act="Forget"
        name={host.name}
        goes="Its tags, reserved address and history here go. When it boots from the network again it comes back as a new machine."
        confirm={() => remove.mutateAsync(undefined)}
      />
    </Stack>
  )
}

function LastBoot({ timeline }: { timeline: Timeline }) {
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

function EarlierBoots({ timeline }: { timeline: Timeline }) {
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

function Inventory({ host }: { host: Host }) {
  const { facts } = host
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Section title="Machine">
        <Facts
          rows={[
            ['Vendor', facts.vendor ?? 'unknown'],
            ['Model', facts.product ?? 'unknown'],
            ['Serial number', host.serial ?? facts.serial ?? 'unknown'],
            ['UUID', host.uuid ?? facts.uuid ?? 'unknown'],
            ['Firmware', facts.platform ?? 'unknown'],
            ['MAC addresses', host.macs.join(', ')],
          ]}
        />
      </Section>
      <Section title="Network and history">
        <Facts
          rows={[
            ['Address', host.address ?? 'none yet'],
            ['Reserved address', host.ip ?? 'none'],
            ['LAN', host.lan ?? 'unknown'],
            [
              'SSH host key',
              host.hostKeys.length > 0 ? host.hostKeys.map(shortKey).join(', ') : 'not known: it tells it when it is installed',
            ],
            ['First seen', <Ago at={host.firstSeen} key="first" />],
            host.lastSeen === undefined ? undefined : ['Last seen', <Ago at={host.lastSeen} key="last" />],
            [
              'Tags',
              Object.entries(host.effectiveTags)
                .map(([key, value]) => `${key}=${value}`)
                .join(', '),
            ],
          ]}
        />
      </Section>
    </SimpleGrid>
  )
}

function Explain({ host }: { host: Host }) {
  const explained = useQuery(explainQuery(host.id))
  return (
    <Loaded query={explained}>
      {({ firmware, script, rule, revision, appliedRevision }) => (
        <Stack>
          <Section title="What its firmware would be told now">
            <Reasons of={firmware.reasons} />
          </Section>
          <Section title="What its boot loader would be told then">
            {rule && <Text size="sm">The rule {rule.name} would approve it at this boot.</Text>}
            <Reasons of={script.reasons} />
            <Code block aria-label="Boot script">
              {script.text}
            </Code>
          </Section>
          {appliedRevision !== undefined && appliedRevision < revision && (
            <Text size="sm">
              The site has applied revision {appliedRevision} of {revision}; until then it may answer as before.
            </Text>
          )}
        </Stack>
      )}
    </Loaded>
  )
}

function Reasons({ of }: { of: readonly string[] }) {
  return (
    <ol>
      {of.map((reason) => (
        <li key={reason}>
          <Text size="sm">{reason}</Text>
        </li>
      ))}
    </ol>
  )
}

function Events({ timeline }: { timeline: Timeline }) {
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
