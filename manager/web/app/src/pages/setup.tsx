import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { checkedFetch } from '../api/problem.ts'
import { Door } from '../parts/door.tsx'
import { Unshown } from '../parts/form-end.tsx'
import { ProblemAlert } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'

const FIELDS = ['name', 'organisation', 'email', 'password'] as const
const post = (path: string, body: unknown) =>
  checkedFetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** The one-time set-up link: the first account, then straight to the first site. */
export function SetupPage() {
  const { token = '' } = useSearch({ from: '/setup' })
  const navigate = useNavigate()
  const form = useForm({ mode: 'uncontrolled', initialValues: { name: '', organisation: '', email: '', password: '' } })
  const save = useSave(
    async (owner: typeof form.values) => {
      await post('/setup', { token, ...owner })
      await post('/api/v1/session', { email: owner.email, password: owner.password })
    },
    {
      old: [],
      form,
      done: () => void navigate({ to: '/sites/new', replace: true }),
    },
  )
  const link = useQuery({
    queryKey: ['setup', token],
    queryFn: () => checkedFetch(`/setup?token=${encodeURIComponent(token)}`, { headers: { accept: 'application/json' } }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <Door title="Set up Bridgehead">
      {link.error && <ProblemAlert error={link.error} />}
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <Text size="sm">This link works once. It makes the first account and its organisation; the next step is your first site.</Text>
          <TextInput label="Your name" required autoComplete="name" {...form.getInputProps('name')} />
          <TextInput
            label="Organisation"
            description="Sites, hosts and people belong to it."
            required
            autoComplete="organization"
            {...form.getInputProps('organisation')}
          />
          <TextInput label="E-mail" type="email" required autoComplete="username" {...form.getInputProps('email')} />
          <PasswordInput
            label="Password"
            description="12 characters or more."
            required
            minLength={12}
            autoComplete="new-password"
            {...form.getInputProps('password')}
          />
          <Unshown error={save.error} shown={FIELDS} />
          <Button type="submit" loading={save.isPending}>
            Make the account
          </Button>
        </Stack>
      </form>
    </Door>
  )
}
