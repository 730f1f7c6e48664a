import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ApiProblem } from '../api/problem.ts'

/** The part of Mantine's form that shows problems. */
interface Fields {
  setErrors(errors: Record<string, string>): void
}

/** A change: makes `old` queries read again, and shows each problem at the field that it names. What names no field is `error`. */
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
      if (error instanceof ApiProblem && form) form.setErrors(asFormPaths(error.fields))
    },
  })
}

/** `lans[1].subnet` as Mantine's forms write it: `lans.1.subnet`. Pure. */
export function asFormPaths(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([field, message]) => [field.replaceAll(/\[(\d+)\]/g, '.$1'), message]))
}

/** The words of an error that no field shows. */
export function restOf(error: Error | null, shown: readonly string[]): string | undefined {
  if (!error) return undefined
  const fields = error instanceof ApiProblem ? Object.keys(asFormPaths(error.fields)) : []
  return fields.length > 0 && fields.every((field) => shown.some((one) => field === one || field.startsWith(`${one}.`)))
    ? undefined
    : error.message
}
