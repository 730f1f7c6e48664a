import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ApiProblem } from '../api/problem.ts'
import { asFormPaths } from './form-errors.ts'

/** The part of Mantine's form that shows problems. */
interface Fields {
  setErrors(errors: Record<string, string>): void
}

/** A change: makes `old` queries read again, and shows each problem at the field that it names; when somebody else saved first, too. What names no field is `error`. */
export function useSave<I, O>(
  save: (input: I) => Promise<O>,
  { old, form, done }: { old: string[][]; form?: Fields; done?: (output: O) => void },
) {
  const queries = useQueryClient()
  return useMutation<O, Error, I>({
    mutationFn: save,
    onSuccess: async (output) => {
      for (const queryKey of old) void queries.invalidateQueries({ queryKey })
      done?.(output)
    },
    onError(error) {
      if (error instanceof ApiProblem && error.code === 'revision-stale')
        for (const queryKey of old) void queries.invalidateQueries({ queryKey })
      if (error instanceof ApiProblem && form) form.setErrors(asFormPaths(error.fields))
    },
  })
}
