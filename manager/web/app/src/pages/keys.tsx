import {
  Alert,
  Button,
  Checkbox,
  Code,
  CopyButton,
  Modal,
  NumberInput,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Scope } from '../../../../engines/http/scope.ts'
import { api } from '../api/client.ts'
import { apiKeysQuery, keysQuery, sessionQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { FormEnd } from '../parts/form-end.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Loaded, Page, Section } from '../parts/page.tsx'
import { RemoveButton } from '../parts/remove-button.tsx'
import { SelectorInput } from '../parts/selector-input.tsx'
import { shortKey } from '../parts/short-key.ts'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'

export function KeysPage() {
  return (
    <Page title="Keys" answer="SSH keys open machines to people; API keys open this manager to programs.">
      <SshKeys />
      <ApiKeys />
    </Page>
  )
}

interface Going {
  id: string
  name: string
}

function SshKeys() {
  const keys = useQuery(keysQuery)
  const [opened, { open, close }] = useDisclosure(false)
  const [going, setGoing] = useState<Going>()
  const remove = useSave(async (id: string) => api.registry.keys[':id'].$delete({ param: { id } }), { old: [['keys']] })
  return (
    <Section
      title="SSH keys"
      actions={
        <Button size="xs" onClick={open}>
          Add an SSH key
        </Button>
      }
    >
      <Loaded query={keys}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm">None yet. Keys that you add here are on every machine that is installed from then on, for root.</Text>
          ) : (
            <ListTable heads={['Name', 'Key', 'Sites', 'Added', '']} minWidth={520}>
              {items.map((key) => (
                <Table.Tr key={key.id}>
                  <Table.Td>{key.name}</Table.Td>
                  <Table.Td>
                    <Code>{shortKey(key.publicKey)}</Code>
                  </Table.Td>
                  <Table.Td>{key.sites === '' ? 'all' : key.sites}</Table.Td>
                  <Table.Td>
                    <Ago at={key.createdAt} />
                  </Table.Td>
                  <Table.Td>
                    <RemoveButton act="Remove" name={key.name} onClick={() => setGoing(key)} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </ListTable>
          )
        }
      </Loaded>
      <Modal opened={opened} onClose={close} title="Add an SSH key" size="lg">
        <NewSshKey done={close} />
      </Modal>
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Remove"
        name={going?.name ?? ''}
        goes="Machines that are installed from now on do not get it. It stays on those that have it."
        confirm={() => remove.mutateAsync(going?.id ?? '')}
      />
    </Section>
  )
}

function NewSshKey({ done }: { done(): void }) {
  const form = useForm({ initialValues: { name: '', publicKey: '', sites: '' } })
  const save = useSave(async (key: typeof form.values) => (await api.registry.keys.$post({ json: key })).json(), {
    old: [['keys']],
    form,
    done,
  })
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <TextInput label="Name" required data-autofocus {...form.getInputProps('name')} />
        <Textarea
          label="Public key"
          required
          autosize
          minRows={3}
          placeholder="ssh-ed25519 AAAA..."
          spellCheck={false}
          {...form.getInputProps('publicKey')}
        />
        <SelectorInput label="Sites" description="A selector over sites' tags; empty means all." {...form.getInputProps('sites')} />
        <FormEnd save={save} shown={['name', 'publicKey', 'sites']}>
          Add it
        </FormEnd>
      </Stack>
    </form>
  )
}

function ApiKeys() {
  const me = useQuery(sessionQuery)
  const admin = me.data?.scopes.includes('admin') === true
  const keys = useQuery({ ...apiKeysQuery, enabled: admin })
  const [opened, { open, close }] = useDisclosure(false)
  const [going, setGoing] = useState<Going>()
  const remove = useSave(async (id: string) => api.access['api-keys'][':id'].$delete({ param: { id } }), { old: [['api-keys']] })
  if (!admin) return null
  return (
    <Section
      title="API keys"
      actions={
        <Button size="xs" onClick={open}>
          Make an API key
        </Button>
      }
    >
      <Loaded query={keys}>
        {(items) => (
          <ListTable heads={['Name', 'Begins with', 'Rights', 'Last used', 'Ends', '']} minWidth={560}>
            {items.map((key) => (
              <Table.Tr key={key.id}>
                <Table.Td>{key.name}</Table.Td>
                <Table.Td>
                  <Code>{key.start}</Code>
                </Table.Td>
                <Table.Td>{key.scopes.join(', ') || 'none'}</Table.Td>
                <Table.Td>{key.lastUsedAt === undefined ? 'never' : <Ago at={key.lastUsedAt} />}</Table.Td>
                <Table.Td>{key.expiresAt === undefined ? 'never' : <Ago at={key.expiresAt} />}</Table.Td>
                <Table.Td>
                  <RemoveButton act="Delete" name={key.name} onClick={() => setGoing(key)} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )}
      </Loaded>
      <Modal opened={opened} onClose={close} title="Make an API key" size="lg">
        <NewApiKey scopes={me.data?.scopes ?? []} />
      </Modal>
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Delete"
        name={going?.name ?? ''}
        goes="Programs that use it are refused from now on."
        confirm={() => remove.mutateAsync(going?.id ?? '')}
      />
    </Section>
  )
}

function NewApiKey({ scopes }: { scopes: readonly Scope[] }) {
  const form = useForm({ initialValues: { name: '', scopes: [] as Scope[], days: '' as number | '' } })
  const save = useSave(
    async ({ name, scopes: chosen, days }: typeof form.values) =>
      (await api.access['api-keys'].$post({ json: { name, scopes: chosen, ...(days === '' ? {} : { expiresInDays: days }) } })).json(),
    { old: [['api-keys']], form },
  )
  if (save.data)
    return (
      <Stack>
        <Alert color="green" variant="light" title="Copy it now; it is not shown again">
          <Code block>{save.data.key}</Code>
        </Alert>
        <CopyButton value={save.data.key}>{({ copied, copy }) => <Button onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}</CopyButton>
      </Stack>
    )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <TextInput label="Name" required data-autofocus {...form.getInputProps('name')} />
        <Checkbox.Group label="Rights" {...form.getInputProps('scopes')}>
          <SimpleGrid cols={{ base: 1, xs: 2 }} mt="xs" spacing="xs">
            {scopes.map((scope) => (
              <Checkbox value={scope} label={scope} key={scope} />
            ))}
          </SimpleGrid>
        </Checkbox.Group>
        <NumberInput label="Ends after days" placeholder="never" min={1} max={365} {...form.getInputProps('days')} maw={200} />
        <FormEnd save={save} shown={['name', 'scopes']}>
          Make it
        </FormEnd>
      </Stack>
    </form>
  )
}
