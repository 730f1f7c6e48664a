import { Alert, Button, Group, Select, Stack, Table, Tabs, Text, Textarea, TextInput } from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { imagesQuery } from '../api/made.ts'
import { hostsQuery, profileQuery, profileVersionsQuery, scriptsQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Unshown } from '../parts/form-end.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Loaded, Page, Section } from '../parts/page.tsx'
import { readTags } from '../parts/tags.ts'
import { Ago } from '../parts/time.tsx'
import { useRebase } from '../parts/use-rebase.ts'
import { useSave } from '../parts/use-save.ts'
import { type Change, type Profile, type ProfileWish, profileChanges, profileOf, wishOfProfile } from './profile-form.ts'
import { TargetFields } from './profile-targets.tsx'

export function ProfilePage() {
  const { id } = useParams({ from: '/shell/profiles/$id' })
  const profile = useQuery(profileQuery(id))
  return <Loaded query={profile}>{(found) => <ProfileView profile={found} key={found.id} />}</Loaded>
}

function ProfileView({ profile }: { profile: Profile }) {
  const { id, name } = profile
  const navigate = useNavigate()
  const { version } = useSearch({ from: '/shell/profiles/$id' })
  const [deleting, { open, close }] = useDisclosure(false)
  const hosts = useQuery(hostsQuery)
  const versions = useQuery(profileVersionsQuery(id))
  const remove = useSave(async () => api.scripts.profiles[':id'].$delete({ param: { id } }), {
    old: [['profiles']],
    done: () => void navigate({ to: '/profiles' }),
  })
  const users = (hosts.data ?? []).filter((host) => host.profile === id && !host.retired).length
  const used =
    users === 0 ? 'no machine is meant to become it' : `${users} ${users === 1 ? 'machine is' : 'machines are'} meant to become it`
  return (
    <Page
      title={name}
      answer={`Profile, version ${profile.version}; ${used}.`}
      actions={
        <Button variant="default" onClick={open}>
          Delete ...
        </Button>
      }
    >
      <Tabs defaultValue={version === undefined ? 'settings' : 'versions'}>
        <Tabs.List mb="md">
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="versions">Versions ({versions.data?.length ?? 1})</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="settings">
          <Settings profile={profile} />
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <Versions profile={profile} />
        </Tabs.Panel>
      </Tabs>
      <ConfirmByName
        opened={deleting}
        onClose={close}
        act="Delete"
        name={name}
        goes={`All its ${versions.data?.length ?? 1} versions go; machines that were installed with it keep running. A profile that machines or rules use cannot be deleted${users > 0 ? ': change them first' : ''}.`}
        confirm={() => remove.mutateAsync(undefined)}
      />
    </Page>
  )
}

const useScriptName = () => {
  const scripts = useQuery(scriptsQuery)
  return (id: string) => scripts.data?.find((one) => one.id === id)?.name ?? id
}

/** A new version of a profile shows itself as a newer revision. */
type Revised = Profile & { revision: number }
const revised = (profile: Profile): Revised => ({ ...profile, revision: profile.version })

function Settings({ profile }: { profile: Profile }) {
  const images = useQuery(imagesQuery)
  const scripts = useQuery(scriptsQuery)
  const scriptName = useScriptName()
  const form = useForm<ProfileWish>({
    initialValues: wishOfProfile(profile),
    validate: { vars: (text) => readTags(text).why ?? null },
  })
  const latest = revised(profile)
  const { base, adopt, stale } = useRebase(latest, form, wishOfProfile)
  const ready = images.data ?? []
  const save = useSave(
    async (wish: ProfileWish) =>
      (await api.scripts.profiles[':id'].$put({ param: { id: profile.id }, json: profileOf(wish, base, ready) })).json(),
    { old: [['profiles']], form, done: (saved) => adopt(revised(saved), wishOfProfile(saved)) },
  )
  const named = (kind: string) =>
    (scripts.data ?? []).filter((one) => one.kind === kind).map(({ id, name }) => ({ value: id, label: name }))
  return (
    <form onSubmit={form.onSubmit((wish) => save.mutate(wish))}>
      <Stack maw={760}>
        {stale && (
          <Alert color="orange" variant="light" title={`Version ${profile.version} was saved elsewhere`} role="alert">
            <Stack gap="xs">
              <Text size="sm">This is what they changed. Nothing is overwritten: saving makes another version.</Text>
              <Changes changes={profileChanges(base, profile, scriptName)} heads={['What', 'Before', 'Theirs']} />
              <Group>
                <Button size="xs" variant="default" onClick={() => adopt(latest, wishOfProfile(profile))}>
                  Take theirs
                </Button>
                <Button size="xs" onClick={() => adopt(latest, form.getValues())}>
                  Go on with mine
                </Button>
              </Group>
            </Stack>
          </Alert>
        )}
        <Section title="Profile">
          <TextInput label="Name" required {...form.getInputProps('name')} maw={420} />
          <Select
            label="Script after installation (bash)"
            description="Runs in the new system before its first start."
            placeholder="none"
            clearable
            data={named('bash')}
            {...choiceProps(form.getInputProps('postInstall'))}
            maw={420}
          />
          <Select
            label="Boot script (iPXE)"
            description="In place of the built-in one."
            placeholder="built in"
            clearable
            data={named('ipxe')}
            {...choiceProps(form.getInputProps('ipxe'))}
            maw={420}
          />
          <Textarea
            label="Variables"
            description="For its scripts, one NAME=value a line."
            autosize
            minRows={2}
            spellCheck={false}
            {...form.getInputProps('vars')}
          />
        </Section>
        <TargetFields form={form} profile={base} images={ready} />
        {!stale && <Unshown error={save.error} shown={['name', 'postInstall', 'ipxe', 'vars']} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty() || stale}>
            Save version {base.version + 1}
          </Button>
          {save.isSuccess && !form.isDirty() && (
            <Text size="sm" role="status">
              Version {base.version} is saved; sites have it within seconds.
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  )
}

/** A Select's words for nothing chosen are null, a form's an empty text. */
const choiceProps = ({ value, onChange, ...props }: ReturnType<UseFormReturnType<ProfileWish>['getInputProps']>) => ({
  ...props,
  value: value === '' ? null : value,
  onChange: (chosen: string | null) => onChange(chosen ?? ''),
})

function Versions({ profile }: { profile: Profile }) {
  const { id } = profile
  const navigate = useNavigate()
  const { version } = useSearch({ from: '/shell/profiles/$id' })
  const versions = useQuery(profileVersionsQuery(id))
  const old = useQuery({ ...profileQuery(id, version ?? profile.version), enabled: version !== undefined })
  const scriptName = useScriptName()
  const others = (versions.data ?? []).filter((one) => one.version !== profile.version)
  if (versions.data && others.length === 0) return <Text size="sm">This is its first version; each change makes another one.</Text>
  return (
    <Stack>
      <Select
        label={`What has changed until version ${profile.version}, since`}
        data={others.map((one) => ({
          value: String(one.version),
          label: `version ${one.version}, ${new Date(one.createdAt).toLocaleString()}`,
        }))}
        value={version === undefined ? null : String(version)}
        onChange={(value) =>
          void navigate({ to: '/profiles/$id', params: { id }, search: value === null ? {} : { version: Number(value) }, replace: true })
        }
        placeholder="choose a version"
        maw={420}
      />
      {old.data && version !== undefined && (
        <>
          <Text size="sm" c="dimmed" component="div">
            Version {version} was saved <Ago at={old.data.createdAt} span />.
          </Text>
          <Changes
            changes={profileChanges(old.data, profile, scriptName)}
            heads={['What', `Version ${version}`, `Version ${profile.version}`]}
          />
        </>
      )}
    </Stack>
  )
}

function Changes({ changes, heads }: { changes: readonly Change[]; heads: [string, string, string] }) {
  if (changes.length === 0) return <Text size="sm">Nothing differs.</Text>
  const shown = (text: string) =>
    text === '' ? (
      <Text size="sm" c="dimmed" span>
        none
      </Text>
    ) : (
      text
    )
  return (
    <ListTable heads={heads} minWidth={480}>
      {changes.map(({ what, before, after }) => (
        <Table.Tr key={what}>
          <Table.Td fw={500}>{what}</Table.Td>
          <Table.Td style={{ overflowWrap: 'anywhere' }}>{shown(before)}</Table.Td>
          <Table.Td style={{ overflowWrap: 'anywhere' }}>{shown(after)}</Table.Td>
        </Table.Tr>
      ))}
    </ListTable>
  )
}
