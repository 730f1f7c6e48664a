import { Alert, SimpleGrid, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { servicesQuery } from '../api/queries.ts'
import { Link } from '../parts/link.tsx'
import { Facts, Loaded, Section } from '../parts/page.tsx'
import { Mark, Status, type Tone } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import type { Site } from '../verdict.ts'

const NAMES: Record<string, string> = {
  dhcp: 'Addresses (DHCP)',
  dns: 'Names (DNS)',
  pxe: 'Boot files (PXE)',
  ssh: 'Scripts (SSH)',
  network: 'Private network',
  workload: 'Workloads (k3s)',
  uplink: 'Uplink',
}
const TONES: Record<string, Tone> = { ok: 'ok', attention: 'attention', off: 'quiet', unknown: 'quiet' }

export function ServicesTab({ site }: { site: Site }) {
  const services = useQuery(servicesQuery(site.id))
  return (
    <Stack>
      <Loaded query={services}>
        {({ items, foreignServers }) => (
          <>
            {foreignServers.map((one) => (
              <Alert
                key={`${one.lan} ${one.server}`}
                color="orange"
                variant="light"
                title={`Another DHCP server answers on ${one.lan}: ${one.server}`}
              >
                <Text size="sm">
                  {one.blocked
                    ? 'So that machines do not get two answers, the appliance stays silent there. Switch that server off, or use the mode proxy, in which both can live.'
                    : 'In the mode proxy both can live: it gives addresses, the appliance tells what to boot.'}{' '}
                  <Link to="/sites/$id" params={{ id: site.id }} search={{ tab: 'settings' }}>
                    Change the mode
                  </Link>
                </Text>
              </Alert>
            ))}
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {items.map((one) => (
                <Section title={NAMES[one.service] ?? one.service} key={one.service} actions={<Mark tone={TONES[one.state] ?? 'quiet'} />}>
                  <Text size="sm">{one.sentence}</Text>
                </Section>
              ))}
            </SimpleGrid>
          </>
        )}
      </Loaded>
      <ApplianceFacts site={site} />
    </Stack>
  )
}

export function ApplianceFacts({ site: { appliance, online, stateRevision } }: { site: Site }) {
  if (!appliance) return null
  const { booted, update } = appliance
  return (
    <Section title="Appliance">
      <Facts
        rows={[
          [
            'Heard of',
            online ? (
              <Ago at={online.at} key="online" />
            ) : (
              <Status tone="attention" key="online">
                not now
              </Status>
            ),
          ],
          ['Settings', `revision ${appliance.appliedRevision ?? 0} applied of ${stateRevision}`],
          ['Software', appliance.version],
          booted?.image === undefined
            ? undefined
            : ['Booted', `${booted.image} from slot ${booted.slot ?? '?'} (${booted.board ?? 'unknown board'})`],
          booted?.rollback ? ['Went back', `from ${booted.rollback.version}: ${booted.rollback.why}`] : undefined,
          update ? ['Last update', `${update.version}: ${update.phase}${update.why === undefined ? '' : `, ${update.why}`}`] : undefined,
          ['Hardware', [appliance.hardware.model, appliance.hardware.serial].filter(Boolean).join(', ') || 'unknown'],
          ['Overlay address', appliance.overlayAddress ?? 'none'],
          ['Enrolled', <Ago at={appliance.enrolledAt} key="enrolled" />],
        ]}
      />
    </Section>
  )
}
