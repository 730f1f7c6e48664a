import { Button, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useQuery } from '@tanstack/react-query'
import { api } from '../api/client.ts'
import { profilesQuery } from '../api/queries.ts'
import { Unshown } from '../parts/form-end.tsx'
import { Section } from '../parts/page.tsx'
import { readTags, tagLines } from '../parts/tags.ts'
import { useRebase } from '../parts/use-rebase.ts'
import { useSave } from '../parts/use-save.ts'
import type { Host } from '../verdict.ts'

const valuesOf = ({ name, ip = '', profile = '', tags }: Host) => ({ name, ip, profile, tags: tagLines(tags) })

export function HostSettings({ host }: { host: Host }) {
  const profiles = useQuery(profilesQuery)
  const form = useForm({
    initialValues: valuesOf(host),
    validate: { tags: (text) => readTags(text).why ?? null },
  })
  const { base, adopt, stale } = useRebase(host, form, valuesOf)
  const save = useSave(
    async ({ name, ip, profile, tags }: typeof form.values) =>
      (
        await api.hosts.hosts[':id'].$patch({
          param: { id: host.id },
          json: {
            revision: base.revision,
            name,
            ip: ip === '' ? null : ip,
            profile: profile === '' ? null : profile,
            tags: readTags(tags).tags,
          },
        })
      ).json(),
    {
      old: [['hosts']],
      form,
      done: (saved) => adopt(saved, valuesOf(saved)),
    },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack maw={640}>
        <Section title="Settings">
          <TextInput label="Name" required {...form.getInputProps('name')} />
          <Select
            label="Profile"
            description="What it becomes when it is installed."
            data={(profiles.data ?? []).map((profile) => ({ value: profile.id, label: profile.name }))}
            clearable
            {...form.getInputProps('profile')}
          />
          <TextInput label="Reserved address" placeholder="any" {...form.getInputProps('ip')} />
          <Textarea
            label="Tags"
            description="One key=value a line."
            autosize
            minRows={2}
            spellCheck={false}
            {...form.getInputProps('tags')}
          />
        </Section>
        {stale && (
          <Group role="alert">
            <Text size="sm">
              Somebody else saved this machine first: name {host.name}, address {host.ip ?? 'any'}, tags{' '}
              {tagLines(host.tags).replaceAll('\n', ', ') || 'none'}.
            </Text>
            <Button size="xs" variant="default" onClick={() => adopt(host, form.getValues())}>
              Keep mine
            </Button>
          </Group>
        )}
        {!stale && <Unshown error={save.error} shown={['name', 'ip', 'profile', 'tags']} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty() || stale}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
