import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { api } from '../api/client.ts'
import { Unshown } from '../parts/form-end.tsx'
import { LanFields } from '../parts/lan-fields.tsx'
import { type LanInput, lanInput, lanOutput } from '../parts/lan-input.ts'
import { Section } from '../parts/page.tsx'
import { useRebase } from '../parts/use-rebase.ts'
import { useSave } from '../parts/use-save.ts'
import type { Site } from '../verdict.ts'

/** The settings that are edited here; what changes elsewhere meanwhile is shown, never overwritten. */
const valuesOf = ({ name, lans }: Site) => ({ name, lans: lans.map(lanInput) })

export function SettingsTab({ site }: { site: Site }) {
  const form = useForm<{ name: string; lans: LanInput[] }>({ initialValues: valuesOf(site) })
  const { base, adopt, stale } = useRebase(site, form, valuesOf)
  const save = useSave(
    async ({ name, lans }: typeof form.values) =>
      (
        await api.sites.sites[':id'].$patch({
          param: { id: base.id },
          json: { revision: base.revision, name, lans: lans.map((lan, index) => lanOutput(lan, base.lans[index])) },
        })
      ).json(),
    {
      old: [['sites']],
      form,
      done: (saved) => adopt(saved, valuesOf(saved)),
    },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack maw={760}>
        {stale && (
          <Merge
            mine={form.values}
            theirs={site}
            base={base}
            keepMine={() => adopt(site, form.getValues())}
            takeTheirs={() => adopt(site, valuesOf(site))}
          />
        )}
        <Section title="Site">
          <TextInput label="Name" required {...form.getInputProps('name')} maw={360} />
        </Section>
        {form.values.lans.map((lan, index) => (
          <Section
            title={`LAN ${lan.name}`}
            key={form.key(`lans.${index}`)}
            actions={
              form.values.lans.length > 1 && (
                <Button size="xs" variant="subtle" color="red" onClick={() => form.removeListItem('lans', index)}>
                  Remove
                </Button>
              )
            }
          >
            <LanFields form={form} index={index} />
          </Section>
        ))}
        {!stale && <Unshown error={save.error} shown={['name', 'lans']} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty() || stale}>
            Save
          </Button>
          <Button
            variant="default"
            onClick={() =>
              form.insertListItem('lans', {
                name: `lan${form.values.lans.length + 1}`,
                subnet: '',
                address: '',
                mode: 'proxy',
                router: '',
                from: '',
                to: '',
              })
            }
          >
            Add a LAN
          </Button>
          {save.isSuccess && !form.isDirty() && (
            <Text size="sm" role="status">
              Saved; the site has it within seconds.
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  )
}

/** Somebody saved first: both versions, and the choice. */
function Merge(props: { mine: { name: string; lans: LanInput[] }; theirs: Site; base: Site; keepMine(): void; takeTheirs(): void }) {
  const { mine, theirs, base, keepMine, takeTheirs } = props
  const shown = (value: { name: string; lans: readonly LanInput[] }) => [
    `name ${value.name}`,
    ...value.lans.map(
      (lan) =>
        `lan ${lan.name}: ${lan.subnet}, ${lan.address}, ${lan.mode}${lan.router ? `, router ${lan.router}` : ''}${lan.from ? `, ${lan.from} to ${lan.to}` : ''}`,
    ),
  ]
  const theirLines = shown({ name: theirs.name, lans: theirs.lans.map(lanInput) })
  const baseLines = shown({ name: base.name, lans: base.lans.map(lanInput) })
  const mineLines = shown(mine)
  return (
    <Alert color="orange" variant="light" title="Somebody else saved this site first" role="alert">
      <Stack gap="xs">
        <Text size="sm" fw={600}>
          They changed
        </Text>
        {theirLines
          .filter((line) => !baseLines.includes(line))
          .map((line) => (
            <Text size="sm" ff="monospace" key={line}>
              {line}
            </Text>
          ))}
        <Text size="sm" fw={600}>
          You changed
        </Text>
        {mineLines
          .filter((line) => !baseLines.includes(line))
          .map((line) => (
            <Text size="sm" ff="monospace" key={line}>
              {line}
            </Text>
          ))}
        <Group>
          <Button size="xs" variant="default" onClick={takeTheirs}>
            Take theirs
          </Button>
          <Button size="xs" onClick={keepMine}>
            Keep mine
          </Button>
        </Group>
      </Stack>
    </Alert>
  )
}
