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
  /** Characters of the selector before the one that was not understood. */
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** What is wrong, and where, counted from 1. */
export const placed = (error: SelectorError): string => `${error.message}, at character ${error.at + 1}`

/**
 * Parses `region=nuremberg,role in (edge,db),role notin (gpu),!spare,rack,zone!=b`. An empty text matches everything.
 * Throws SelectorError, which names the term, what was expected, and where.
 */
export function parseSelector(text: string): Term[] {
  if (text.trim() === '') return []
  return splitTerms(text).map(({ raw, from }) => {
    const term = raw.trim()
    const begins = from + raw.length - raw.trimStart().length
    const key = (name: string) => checkedKey(name, term, begins)
    const set = /^([^\s!=]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term)
    if (set) {
      const values = (set[3] ?? '').split(',').map((value) => value.trim())
      if (values.some((value) => value === ''))
        throw new SelectorError(
          `selector term "${term}": expected values between commas, such as role in (edge,db)`,
          begins + term.search(/[(,]\s*[,)]/) + 1,
        )
      return { kind: set[2] === 'in' ? 'in' : 'not-in', key: key(set[1] ?? ''), values }
    }
    const pair = /^([^\s!=]+)\s*(!=|==?)\s*([\w.:/@+-]*)$/.exec(term)
    if (pair) return { kind: pair[2] === '!=' ? 'is-not' : 'is', key: key(pair[1] ?? ''), value: pair[3] ?? '' }
    if (term.startsWith('!')) return { kind: 'lacks', key: key(term.slice(1).trim()) }
    return { kind: 'has', key: key(term) }
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
    context.addIssue({ code: 'custom', message: error instanceof SelectorError ? placed(error) : String(error) })
  }
})

function checkedKey(name: string, term: string, begins: number): string {
  if (WORD.test(name)) return name
  throw new SelectorError(
    `selector term "${term}": expected key, !key, key=value, key!=value, key in (a,b) or key notin (a,b)`,
    begins + (UNDERSTOOD.exec(term)?.[0].length ?? 0),
  )
}

/** As much of a term as makes sense. */
const UNDERSTOOD = /^!?\s*(?:[a-z0-9][\w./-]*\s*(?:(?:!=|==?)\s*[\w.:/@+-]*|(?:not)?in\b\s*)?)?/i

/** Splits at commas outside parentheses. */
function splitTerms(text: string): { raw: string; from: number }[] {
  const terms: { raw: string; from: number }[] = []
  let depth = 0
  let from = 0
  let opened = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') {
      depth++
      opened = at
    } else if (text[at] === ')') depth--
    else if (text[at] === ',' && depth === 0) {
      terms.push({ raw: text.slice(from, at), from })
      from = at + 1
    }
    if (depth < 0 || depth > 1) throw new SelectorError(`selector "${text}": parentheses do not match`, at)
  }
  if (depth !== 0) throw new SelectorError(`selector "${text}": a closing parenthesis is missing`, opened)
  terms.push({ raw: text.slice(from), from })
  return terms
}
