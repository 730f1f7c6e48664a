/**
 * Why a build failed:
 * `exit` the tools said so; `time`, `memory`, `output`, `processes` a limit was reached; `cancelled` somebody stopped it;
 * `tools` this machine cannot build (or not confined); `source` the source is not to be had or is no source; `option` the request is wrong.
 */
export type BuildFailure = 'exit' | 'time' | 'memory' | 'output' | 'processes' | 'cancelled' | 'tools' | 'source' | 'option'

/** The message is what the compiler said first, with file and line; `lines` are the last ones of the log. */
export class BuildError extends Error {
  readonly code = 'build'
  readonly reason: BuildFailure
  readonly lines: string[]
  constructor(reason: BuildFailure, message: string, { lines = [], ...options }: ErrorOptions & { lines?: readonly string[] } = {}) {
    super(message, options)
    this.reason = reason
    this.lines = [...lines]
  }
}
