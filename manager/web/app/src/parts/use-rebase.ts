import type { UseFormReturnType } from '@mantine/form'
import { useLayoutEffect, useState } from 'react'
import { rebased } from './rebase.ts'

/** What a form was begun on; follows `latest` as long as nobody changed what this form changes; `stale` when somebody did. `adopt` begins anew on another. */
export function useRebase<T extends { revision: number }, V extends object>(
  latest: T,
  form: UseFormReturnType<V>,
  valuesOf: (thing: T) => V,
) {
  const [base, setBase] = useState(latest)
  const adopt = (thing: T, values: V) => {
    setBase(thing)
    form.setInitialValues(valuesOf(thing))
    form.setValues(values)
    form.resetDirty(valuesOf(thing))
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new revision is what matters, and adopting one ends it
  useLayoutEffect(() => {
    if (latest.revision <= base.revision) return
    const values = rebased(valuesOf(base), form.getValues(), valuesOf(latest))
    if (values) adopt(latest, values)
  }, [latest.revision])
  return { base, adopt, stale: latest.revision > base.revision }
}
