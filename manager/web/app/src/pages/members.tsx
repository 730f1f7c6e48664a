import { Alert, Button, Code, CopyButton, Group, Modal, Select, Stack, Table, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { invitationsQuery, membersQuery, sessionQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { FormEnd } from '../parts/form-end.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Loaded, Page, ProblemAlert, Section } from '../parts/page.tsx'
import { RemoveButton } from '../parts/remove-button.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'

const ROLES = [
  { value: 'owner', label: 'Owner: everything, and who else owns it' },
  { value: 'admin', label: 'Admin: everything' },
  { value: 'member', label: 'Member: sees everything, changes nothing' },
] as const
type Role = (typeof ROLES)[number]['value']
const asRole = (value: string | null): Role => ROLES.find((role) => role.value === value)?.value ?? 'member'

export function MembersPage() {
  const members = useQuery(membersQuery)
  const me = useQuery(sessionQuery)
  const [opened, { open, close }] = useDisclosure(false)
  const [going, setGoing] = useState<{ id: string; name: string }>()
  const change = useSave(
    async ({ id, role }: { id: string; role: Role }) => (await api.members.members[':id'].$patch({ param: { id }, json: { role } })).json(),
    {
      old: [['members']],
    },
  )
  const remove = useSave(async (id: string) => api.members.members[':id'].$delete({ param: { id } }), { old: [['members']] })
  return (
    <Page
      title="Members"
      answer={`People of ${me.data?.organisation.name ?? 'this organisation'}.`}
      actions={<Button onClick={open}>Invite a person</Button>}
    >
      {change.error && <ProblemAlert error={change.error} />}
      <Loaded query={members}>
        {(items) => (
          <ListTable heads={['Name', 'E-mail', 'Role', 'Joined', '']} minWidth={600}>
            {items.map(({ id, user, role, joinedAt }) => (
              <Table.Tr key={id}>
                <Table.Td>{user.name}</Table.Td>
                <Table.Td>{user.email}</Table.Td>
                <Table.Td>
                  <Select
                    size="xs"
                    aria-label={`Role of ${user.name}`}
                    allowDeselect={false}
                    data={ROLES.map(({ value }) => value)}
                    value={role}
                    onChange={(value) => change.mutate({ id, role: asRole(value) })}
                    w={120}
                  />
                </Table.Td>
                <Table.Td>
                  <Ago at={joinedAt} />
                </Table.Td>
                <Table.Td>
                  <RemoveButton act="Remove" name={user.name} onClick={() => setGoing({ id, name: user.name })} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        )}
      </Loaded>
      <Invitations />
      <Modal opened={opened} onClose={close} title="Invite a person" size="lg">
        <Invite />
      </Modal>
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Remove"
        name={going?.name ?? ''}
        goes="The account and its sessions end. API keys that this person made stay: look at them under Keys."
        confirm={() => remove.mutateAsync(going?.id ?? '')}
      />
    </Page>
  )
}

function Invitations() {
  const invitations = useQuery(invitationsQuery)
  const revoke = useSave(async (id: string) => api.members.members.invitations[':id'].$delete({ param: { id } }), {
    old: [['members', 'invitations']],
  })
  if (invitations.data === undefined || invitations.data.length === 0) return null
  return (
    <Section title="Invitations that can still be used">
      {revoke.error && <ProblemAlert error={revoke.error} />}
      {invitations.data.map(({ id, email, role, expiresAt }) => (
        <Group key={id} justify="space-between">
          <Text size="sm" component="div">
            {email} as {role}, ends <Ago at={expiresAt} span />
          </Text>
          <Button size="compact-xs" variant="default" onClick={() => revoke.mutate(id)}>
            Take back
          </Button>
        </Group>
      ))}
    </Section>
  )
}

function Invite() {
  const form = useForm({ initialValues: { email: '', role: 'member' as Role } })
  const save = useSave(async (json: typeof form.values) => (await api.members.members.invitations.$post({ json })).json(), {
    old: [['members', 'invitations']],
    form,
  })
  if (save.data)
    return (
      <Stack>
        <Alert color="green" variant="light" title="Hand this link over; it is not shown again">
          <Code block>{save.data.link}</Code>
        </Alert>
        <Text size="sm" c="dimmed" component="div">
          It works once, and ends <Ago at={save.data.expiresAt} span />. No mail is sent.
        </Text>
        <CopyButton value={save.data.link}>{({ copied, copy }) => <Button onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}</CopyButton>
      </Stack>
    )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <TextInput label="E-mail" type="email" required data-autofocus {...form.getInputProps('email')} />
        <Select label="Role" allowDeselect={false} data={[...ROLES]} {...form.getInputProps('role')} />
        <FormEnd save={save} shown={['email', 'role']}>
          Make the link
        </FormEnd>
      </Stack>
    </form>
  )
}
