import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { ApiProblem } from '../api/problem.ts'

/** True from the first answer that says that the session has ended until one succeeds again. */
export function useSignedOut(): boolean {
  const queries = useQueryClient()
  const [out, setOut] = useState(false)
  useEffect(() => {
    // Answers alone tell: a query that is only asked anew still carries the success of the time before.
    const see = (action: { type: string; error?: unknown }) => {
      if (action.type === 'success') setOut(false)
      else if (action.type === 'error' && action.error instanceof ApiProblem && action.error.status === 401) setOut(true)
    }
    const ends = [
      queries.getQueryCache().subscribe((event) => event.type === 'updated' && see(event.action)),
      queries.getMutationCache().subscribe((event) => event.type === 'updated' && see(event.action)),
    ]
    return () => {
      for (const end of ends) end()
    }
  }, [queries])
  return out
}
