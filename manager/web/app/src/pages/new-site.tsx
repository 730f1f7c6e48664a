import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useNavigate } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { Unshown } from '../parts/form-end.tsx'
import { LanFields } from '../parts/lan-fields.tsx'
import { type LanInput, lanOutput } from '../parts/lan-input.ts'
import { LinkButton } from '../parts/link.tsx'
import { Page, Section } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'

const LAN: LanInput = { name: 'main', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'proxy', router: '', from: '', to: '' }

export function NewSitePage() {
  const navigate = useNavigate()
  const form = useForm<{ name: string; lans: LanInput[] }>({ initialValues: { name: '', lans: [LAN] } })
  const save = useSave(
    async ({ name, lans }: typeof form.values) =>
      (await api.sites.sites.$post({ json: { name, lans: lans.map((lan) => lanOutput(lan)) } })).json(),
    { old: [['sites']], form, done: (site) => void navigate({ to: '/sites/$id', params: { id: site.id }, search: { tab: 'enrol' } }) },
  )
  return (
    <Page title="Add a site" answer="Two things are needed: what you call it, and which network its machines are on.">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack maw={760}>
          <Section title="Site">
            <TextInput
              label="Name"
              description="Lower-case letters, digits and dashes; it is part of the machines' names."
              required
              placeholder="shop-7"
              data-autofocus
              {...form.getInputProps('name')}
            />
          </Section>
          <Section title="Its network">
            <LanFields form={form} index={0} />
            <Text size="sm" c="dimmed">
              Sites may share the same addresses: every shop may be 192.168.1.0/24. More networks, tags and names can be added later.
            </Text>
          </Section>
          <Unshown error={save.error} shown={['name', 'lans']} />
          <Group>
            <Button type="submit" loading={save.isPending}>
              Add the site
            </Button>
            <LinkButton to="/sites" variant="default">
              Not now
            </LinkButton>
          </Group>
        </Stack>
      </form>
    </Page>
  )
}
