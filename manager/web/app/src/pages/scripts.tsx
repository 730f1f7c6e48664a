import { Button, Modal, Select, Stack, Table, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { scriptsQuery } from '../api/queries.ts'
import type { ScriptKind } from '../parts/editor.tsx'
import { FormEnd } from '../parts/form-end.tsx'
import { Link } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded, Page } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'

const KINDS: { value: ScriptKind; label: string; start: string }[] = [
  { value: 'bash', label: 'bash: runs on installed machines', start: '#!/bin/bash\nset -euo pipefail\n' },
  { value: 'ipxe', label: 'iPXE: what a machine boots', start: '#!ipxe\n' },
  { value: 'cloud-init', label: 'cloud-init', start: '#cloud-config\n' },
  { value: 'preseed', label: 'preseed (Debian installer)', start: '# preseed\n' },
  { value: 'kickstart', label: 'kickstart (Anaconda)', start: '# kickstart\n' },
]

export function ScriptsPage() {
  const scripts = useQuery(scriptsQuery)
  const [opened, { open, close }] = useDisclosure(false)
  return (
    <Page
      title="Scripts"
      answer="Templates that machines boot with, install by, or run. Every change is a new version; old ones stay."
      actions={<Button onClick={open}>New script</Button>}
    >
      <Loaded query={scripts}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No script yet" action={<Button onClick={open}>New script</Button>}>
              A machine installs and starts without any. Write one to change what it boots, or to run the same commands on many machines.
            </Empty>
          ) : (
            <ListTable heads={['Script', 'Kind', 'Version', 'Changed']} minWidth={480}>
              {items.map((script) => (
                <Table.Tr key={script.id}>
                  <Table.Td>
                    <Link to="/scripts/$id" params={{ id: script.id }}>
                      {script.name}
                    </Link>
                  </Table.Td>
                  <Table.Td>{script.kind}</Table.Td>
                  <Table.Td>{script.version}</Table.Td>
                  <Table.Td>
                    <Ago at={script.createdAt} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </ListTable>
          )
        }
      </Loaded>
      <Modal opened={opened} onClose={close} title="New script">
        <NewScript />
      </Modal>
    </Page>
  )
}

function NewScript() {
  const navigate = useNavigate()
  const form = useForm({ initialValues: { name: '', kind: 'bash' as ScriptKind } })
  const save = useSave(
    async ({ name, kind }: typeof form.values) =>
      (await api.scripts.scripts.$post({ json: { name, kind, text: KINDS.find((one) => one.value === kind)?.start ?? '' } })).json(),
    { old: [['scripts']], form, done: ({ id }) => void navigate({ to: '/scripts/$id', params: { id } }) },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <TextInput label="Name" required data-autofocus {...form.getInputProps('name')} />
        <Select
          label="Kind"
          data={KINDS.map(({ value, label }) => ({ value, label }))}
          allowDeselect={false}
          {...form.getInputProps('kind')}
        />
        <FormEnd save={save} shown={['name', 'kind']}>
          Make it
        </FormEnd>
      </Stack>
    </form>
  )
}
