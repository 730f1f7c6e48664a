import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { ApiProblem } from '../api/problem.ts'

/** True from the first answer that says that the session has ended until one succeeds again. */
export function useSignedOut(): boolean {
  const queries = useQueryClient()
  const [out, setOut] = useState(false)
  useEffect(() => {
    const see = (error: unknown, ok: boolean) => {
      if (error instanceof ApiProblem && error.status === 401) setOut(true)
      else if (ok) setOut(false)
    }
    const ends = [
      queries
        .getQueryCache()
        .subscribe(({ query, type }) => type === 'updated' && see(query.state.error, query.state.status === 'success')),
      queries.getMutationCache().subscribe(({ mutation }) => see(mutation?.state.error, mutation?.state.status === 'success')),
    ]
    return () => {
      for (const end of ends) end()
    }
  }, [queries])
  return out
}
