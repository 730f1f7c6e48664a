/** Media that cannot be made; the message is a sentence for people. `field`: path in the recipe, when one is to blame. */
export class MediaError extends Error {
  readonly code = 'media'
  readonly field: readonly (string | number)[] | undefined
  constructor(message: string, options: ErrorOptions & { field?: readonly (string | number)[] } = {}) {
    super(message, options)
    this.field = options.field
  }
}

/** Something that cannot be made, or that no firmware could boot. `field`: path in the recipe. */
export interface Refusal {
  field: (string | number)[]
  message: string
}
