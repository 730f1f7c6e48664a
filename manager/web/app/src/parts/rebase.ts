/**
 * A form that was begun on `base` while somebody else saved `theirs`: what they changed and this form did not is taken over. Undefined:
 * both changed the same field, so that a person must choose. Pure.
 */
export function rebased<V extends object>(base: V, mine: V, theirs: V): V | undefined {
  const result = { ...mine }
  for (const field of Object.keys(base) as (keyof V)[]) {
    const [was, is, other] = [base[field], mine[field], theirs[field]].map((value) => JSON.stringify(value))
    if (other === was || other === is) continue
    if (is !== was) return undefined
    result[field] = theirs[field]
  }
  return result
}
