import { Code, SimpleGrid, Stack, Tabs, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { explainQuery, hostQuery, timelineQuery } from '../api/queries.ts'
import { Link } from '../parts/link.tsx'
import { Facts, Loaded, Page, Section } from '../parts/page.tsx'
import { shortKey } from '../parts/short-key.ts'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { type Host, hostVerdict } from '../verdict.ts'
import { HostActions } from './host-actions.tsx'
import { EarlierBoots, Events, LastBoot } from './host-boots.tsx'
import { HostSettings } from './host-settings.tsx'
import { RunOnHost } from './run-on-host.tsx'

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
