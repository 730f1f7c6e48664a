import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { Door } from '../parts/door.tsx'
import { Unshown } from '../parts/form-end.tsx'
import { Loaded } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'

/** The link that a member handed over: an account, and in. */
export function InvitePage() {
  const { code } = useParams({ from: '/invite/$code' })
  const invitation = useQuery({
    queryKey: ['invitation', code],
    queryFn: async () => (await api.members.invitations[':code'].$get({ param: { code } })).json(),
  })
  return (
    <Door title="Join on Bridgehead">
      <Loaded query={invitation}>{({ email, organisation }) => <Join code={code} email={email} organisation={organisation.name} />}</Loaded>
    </Door>
  )
}

function Join({ code, email, organisation }: { code: string; email: string; organisation: string }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const form = useForm({ mode: 'uncontrolled', initialValues: { name: '', password: '' } })
  const save = useSave(
    async (json: typeof form.values) => (await api.members.invitations[':code'].$post({ param: { code }, json })).json(),
    {
      old: [],
      form,
      done() {
        queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'invitation' })
        void navigate({ to: '/', replace: true })
      },
    },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <Text size="sm">
          You are invited to {organisation} as {email}.
        </Text>
        <TextInput label="Your name" required autoComplete="name" {...form.getInputProps('name')} />
        <PasswordInput
          label="Password"
          description="12 characters or more."
          required
          minLength={12}
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
        <Unshown error={save.error} shown={['name', 'password']} />
        <Button type="submit" loading={save.isPending}>
          Join
        </Button>
      </Stack>
    </form>
  )
}
