import { Button, Group, Select, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { sitesQuery } from '../api/queries.ts'
import { Loaded, Page, ProblemAlert, Section } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'
import { FirstSite } from './overview.tsx'

/** Where the QR on an unclaimed box's screen leads, mostly on a phone: which site is it for? */
export function ClaimPage() {
  const { code } = useParams({ from: '/shell/claim/$code' })
  const navigate = useNavigate()
  const sites = useQuery(sitesQuery)
  const [site, setSite] = useState<string | null>(null)
  const claim = useSave(async (id: string) => api.sites.sites[':id'].claim.$post({ param: { id }, json: { code } }), {
    old: [['sites']],
    done: () => void navigate({ to: '/sites/$id', params: { id: site ?? '' } }),
  })
  return (
    <Page title={`Claim ${code}`} answer="A new box shows this code. Compare it with its screen, then say which site it is for.">
      <Loaded query={sites}>
        {(items) =>
          items.length === 0 ? (
            <FirstSite />
          ) : (
            <Section title="Which site?">
              <Stack maw={420}>
                <Select
                  label="Site"
                  searchable
                  data={items.map(({ id, name, appliance }) => ({
                    value: id,
                    label: appliance ? `${name} (replaces its present box)` : name,
                  }))}
                  value={site}
                  onChange={setSite}
                />
                {claim.error && <ProblemAlert error={claim.error} />}
                <Group>
                  <Button onClick={() => site !== null && claim.mutate(site)} disabled={site === null} loading={claim.isPending}>
                    Claim the box
                  </Button>
                </Group>
                <Text size="sm" c="dimmed">
                  The box learns it within three seconds; its screen then shows the site's name.
                </Text>
              </Stack>
            </Section>
          )
        }
      </Loaded>
    </Page>
  )
}
