import { Liquid, type LiquidError } from 'liquidjs'

/** A template that cannot be rendered. `line` and `column` count from 1. */
export class RenderError extends Error {
  readonly code = 'render'
  readonly line: number | undefined
  readonly column: number | undefined
  constructor(message: string, options: { cause: unknown; line?: number | undefined; column?: number | undefined }) {
    super(message, { cause: options.cause })
    this.line = options.line
    this.column = options.column
  }
}

let engine: Liquid | undefined

/** Unknown variables and filters are errors; templates read no files; memory and time are bounded. Made at first use: many a site needs none. */
function createEngine(): Liquid {
  const made = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    relativeReference: false,
    templates: {},
    parseLimit: 300_000,
    renderLimit: 500,
    memoryLimit: 4_000_000,
  })
  /** Quotes a value for a POSIX shell: `'it'\''s'`. */
  made.registerFilter('shell', (value: unknown) => `'${String(value).replaceAll("'", "'\\''")}'`)
  return made
}

/** Renders a Liquid template. The same on manager and appliance, so that a preview is what the machine gets. Throws RenderError. */
export function renderTemplate(text: string, variables: object): string {
  try {
    engine ??= createEngine()
    return engine.parseAndRenderSync(text, variables)
  } catch (cause) {
    const error = cause as LiquidError
    const [line, column] = error.token?.getPosition?.() ?? []
    const message = (error.message ?? String(cause)).replace(/, (file|line):.*$/s, '')
    throw new RenderError(line === undefined ? message : `line ${line}, column ${column}: ${message}`, { cause, line, column })
  }
}
