import { ApiProblem } from '../api/problem.ts'

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
