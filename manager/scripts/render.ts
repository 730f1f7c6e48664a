import { RenderError, renderTemplate } from '@bridgehead/shared/boot/render.ts'
import { Problem } from '../engines/http/problem.ts'

/** The same text that a machine would get. Throws `does-not-render`, with line and column. */
export function render(text: string, variables: object): string {
  try {
    return renderTemplate(text, variables)
  } catch (error) {
    if (error instanceof RenderError) throw doesNotRender(error)
    throw error
  }
}

/** Refuses a template with wrong syntax. What variables it will meet is known only later, so unknown ones pass. */
export function checkTemplate(text: string): void {
  try {
    renderTemplate(text, {})
  } catch (error) {
    if (!(error instanceof RenderError)) throw error
    if (!/undefined variable/.test(error.message)) throw doesNotRender(error)
  }
}

function doesNotRender(error: RenderError): Problem {
  const at = error.line === undefined ? {} : { expected: `valid Liquid at line ${error.line}, column ${error.column ?? 1}` }
  return new Problem('does-not-render', error.message, { errors: [{ field: 'text', message: error.message, ...at }], cause: error })
}
