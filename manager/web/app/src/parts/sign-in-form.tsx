import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { ApiProblem, checkedFetch } from '../api/problem.ts'

/** The session lies in a cookie that no script can read. */
export function SignInForm({ done }: { done(): unknown }) {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [why, setWhy] = useState<string>()
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    setBusy(true)
    setWhy(undefined)
    try {
      await checkedFetch('/api/v1/session', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password }),
      })
      await done()
    } catch (error) {
      const wrong = error instanceof ApiProblem && error.status === 401
      setWhy(wrong ? 'Wrong e-mail or password.' : error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <Stack>
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {why !== undefined && (
          <Text c="red" size="sm" role="alert">
            {why}
          </Text>
        )}
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  )
}
