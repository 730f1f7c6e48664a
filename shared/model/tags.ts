import { z } from 'zod'

const WORD = /^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/i

/** `key=value` marks on sites and hosts. */
export const Tags = z.record(
  z.string().regex(WORD, 'a tag key holds 1-63 letters, digits, dots, dashes, slashes or underscores'),
  z
    .string()
    .max(63, 'a tag value has at most 63 characters')
    .regex(/^[\w.:/@+-]*$/, 'a tag value holds letters, digits and . : / @ + - _ only'),
)
export type Tags = z.infer<typeof Tags>

/** One term of a selector; a selector matches when all its terms do. */
export type Term =
  | { kind: 'has'; key: string }
  | { kind: 'lacks'; key: string }
  | { kind: 'is'; key: string; value: string }
  | { kind: 'is-not'; key: string; value: string }
  | { kind: 'in'; key: string; values: string[] }
  | { kind: 'not-in'; key: string; values: string[] }

export class SelectorError extends Error {
  readonly code = 'selector'
}

/**
 * Parses `region=nuremberg,role in (edge,db),role notin (gpu),!spare,rack,zone!=b`. An empty text matches everything.
 * Throws SelectorError, which names the term and what was expected.
 */
export function parseSelector(text: string): Term[] {
  if (text.trim() === '') return []
  return splitTerms(text).map((raw) => {
    const term = raw.trim()
    const set = /^([^\s!=]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term)
    if (set) {
      const values = (set[3] ?? '').split(',').map((value) => value.trim())
      if (values.some((value) => value === ''))
        throw new SelectorError(`selector term "${term}": expected values between commas, such as role in (edge,db)`)
      return { kind: set[2] === 'in' ? 'in' : 'not-in', key: key(set[1] ?? '', term), values }
    }
    const pair = /^([^\s!=]+)\s*(!=|==?)\s*([\w.:/@+-]*)$/.exec(term)
    if (pair) return { kind: pair[2] === '!=' ? 'is-not' : 'is', key: key(pair[1] ?? '', term), value: pair[3] ?? '' }
    if (term.startsWith('!')) return { kind: 'lacks', key: key(term.slice(1).trim(), term) }
    return { kind: 'has', key: key(term, term) }
  })
}

export function matches(terms: readonly Term[], tags: Readonly<Record<string, string>>): boolean {
  return terms.every((term) => {
    const value = Object.hasOwn(tags, term.key) ? tags[term.key] : undefined
    switch (term.kind) {
      case 'has':
        return value !== undefined
      case 'lacks':
        return value === undefined
      case 'is':
        return value === term.value
      case 'is-not':
        return value !== term.value
      case 'in':
        return value !== undefined && term.values.includes(value)
      case 'not-in':
        return value === undefined || !term.values.includes(value)
    }
  })
}

/** A selector as people write it; checked, kept as text. */
export const Selector = z.string().superRefine((text, context) => {
  try {
    parseSelector(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

function key(text: string, term: string): string {
  if (!WORD.test(text))
    throw new SelectorError(`selector term "${term}": expected key, !key, key=value, key!=value, key in (a,b) or key notin (a,b)`)
  return text
}

/** Splits at commas outside parentheses. */
function splitTerms(text: string): string[] {
  const terms: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')') depth--
    else if (text[at] === ',' && depth === 0) {
      terms.push(text.slice(from, at))
      from = at + 1
    }
    if (depth < 0 || depth > 1) throw new SelectorError(`selector "${text}": parentheses do not match at character ${at + 1}`)
  }
  if (depth !== 0) throw new SelectorError(`selector "${text}": a closing parenthesis is missing`)
  terms.push(text.slice(from))
  return terms
}
