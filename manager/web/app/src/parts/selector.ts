import { parseSelector, type Term } from '@bridgehead/shared/model/tags.ts'

/** The terms of a selector, or why it is none. Pure. */
export function readSelector(text: string): { terms: Term[]; why?: string } {
  try {
    return { terms: parseSelector(text) }
  } catch (error) {
    return { terms: [], why: (error as Error).message }
  }
}
