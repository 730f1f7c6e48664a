import { Button, Modal, Select, Stack, Table, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { imagesQuery } from '../api/made.ts'
import { profilesQuery, scriptsQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { FormEnd } from '../parts/form-end.tsx'
import { Link } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded, Page } from '../parts/page.tsx'
import { RemoveButton } from '../parts/remove-button.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { HostImages } from './host-images.tsx'
import { imageName } from './image-name.ts'

export function ProfilesPage() {
  const profiles = useQuery(profilesQuery)
  const scripts = useQuery(scriptsQuery)
  const [opened, { open, close }] = useDisclosure(false)
  const [going, setGoing] = useState<{ id: string; name: string }>()
  const remove = useSave(async (id: string) => api.scripts.profiles[':id'].$delete({ param: { id } }), { old: [['profiles']] })
  const scriptName = (id: string | undefined) => (id === undefined ? '–' : (scripts.data?.find((one) => one.id === id)?.name ?? id))
  return (
    <Page
      title="Profiles"
      answer="What a machine becomes: a disk image, and what runs in it before its first start."
      actions={<Button onClick={open}>New profile</Button>}
    >
      <Loaded query={profiles}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No profile yet">
              Build a host image below, then make a profile of it; machines with that profile are installed with the image.
            </Empty>
          ) : (
            <ListTable heads={['Profile', 'Version', 'Architectures', 'After installation', 'Changed', '']} minWidth={560}>
              {items.map((profile) => (
                <Table.Tr key={profile.id}>
                  <Table.Td>
                    <Link to="/profiles/$id" params={{ id: profile.id }} size="sm" fw={500}>
                      {profile.name}
                    </Link>
                  </Table.Td>
                  <Table.Td>{profile.version}</Table.Td>
                  <Table.Td>{Object.keys(profile.targets).join(', ')}</Table.Td>
                  <Table.Td>{scriptName(profile.postInstall)}</Table.Td>
                  <Table.Td>
                    <Ago at={profile.createdAt} />
                  </Table.Td>
                  <Table.Td>
                    <RemoveButton act="Delete" name={profile.name} onClick={() => setGoing(profile)} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </ListTable>
          )
        }
      </Loaded>
      <HostImages />
      <Modal opened={opened} onClose={close} title="New profile">
        <NewProfile done={close} />
      </Modal>
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Delete"
        name={going?.name ?? ''}
        goes="All its versions go; machines that were installed with it keep running. A profile that machines or rules use cannot be deleted."
        confirm={() => remove.mutateAsync(going?.id ?? '')}
      />
    </Page>
  )
}

function NewProfile({ done }: { done(): void }) {
  const images = useQuery(imagesQuery)
  const scripts = useQuery(scriptsQuery)
  const ready = (images.data ?? []).filter(({ target }) => target !== undefined)
  const named = (kind: string) =>
    (scripts.data ?? []).filter((one) => one.kind === kind).map(({ id, name }) => ({ value: id, label: name }))
  const form = useForm({ initialValues: { name: '', image: ready[0]?.hash ?? '', postInstall: '', ipxe: '' } })
  const save = useSave(
    async ({ name, image, postInstall, ipxe }: typeof form.values) => {
      const chosen = ready.find(({ hash }) => hash === image)
      const targets = chosen?.target ? { [chosen.recipe.architecture]: chosen.target } : {}
      return (
        await api.scripts.profiles.$post({ json: { name, targets, ...(postInstall ? { postInstall } : {}), ...(ipxe ? { ipxe } : {}) } })
      ).json()
    },
    { old: [['profiles']], form, done },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <TextInput label="Name" required data-autofocus {...form.getInputProps('name')} />
        <Select
          label="Host image"
          required
          placeholder={ready.length === 0 ? 'build one first, below' : 'choose one'}
          data={ready.map((image) => ({
            value: image.hash,
            label: `${imageName(image)}, ${new Date(image.requestedAt).toLocaleDateString()}`,
          }))}
          {...form.getInputProps('image')}
        />
        <Select label="Script after installation (bash)" clearable data={named('bash')} {...form.getInputProps('postInstall')} />
        <Select
          label="Boot script (iPXE)"
          description="In place of the built-in one."
          clearable
          data={named('ipxe')}
          {...form.getInputProps('ipxe')}
        />
        <FormEnd save={save} shown={['name', 'postInstall', 'ipxe']}>
          Make it
        </FormEnd>
      </Stack>
    </form>
  )
}
