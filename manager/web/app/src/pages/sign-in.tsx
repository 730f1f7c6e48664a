import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Door } from '../parts/door.tsx'
import { SignInForm } from '../parts/sign-in-form.tsx'

/** A path of this console, never another host (`//elsewhere`, `/\elsewhere`). */
const local = (next: string | undefined) => (next !== undefined && /^\/(?![/\\])/.test(next) ? next : '/')

export function SignInPage() {
  const { next } = useSearch({ from: '/signin' })
  const queries = useQueryClient()
  const navigate = useNavigate()
  const done = async () => {
    queries.clear()
    const to = local(next)
    if (to.startsWith('/api/')) location.assign(to)
    else await navigate({ href: to, replace: true })
  }
  return (
    <Door title="Sign in to Bridgehead">
      <SignInForm done={done} />
    </Door>
  )
}
