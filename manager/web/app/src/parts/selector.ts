import { parseSelector, placed, SelectorError, type Term } from '@bridgehead/shared/model/tags.ts'

/** The terms of a selector, or why it is none and before which character that shows. Pure. */
export function readSelector(text: string): { terms: Term[]; wrong?: { why: string; at: number } } {
  try {
    return { terms: parseSelector(text) }
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    return { terms: [], wrong: { why: placed(error), at: error.at } }
  }
}
