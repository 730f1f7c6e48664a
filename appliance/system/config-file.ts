import { readFileSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Helper } from './helper.ts'
import { type ConfigProblem, formatProblem, parseConfig } from './read-config.ts'

/** `bridgehead.json` while the daemon runs. What is wrong with it never ends anything: the last good one holds on. */
export interface ConfigFile extends Service {
  /** The last good settings: of the file, else what this box remembers (without a token), else none. */
  current(): ApplianceConfig
  /** Empty while the file is good. */
  problems(): readonly ConfigProblem[]
  /** Called when settings or problems changed. */
  onChange(listener: () => void): void
  /** Writes settings, checked by the same schema, through the helper. Throws a ZodError or a HelperError. */
  write(settings: ApplianceConfig): Promise<void>
}

export interface ConfigFileDeps {
  path: string
  helper: Pick<Helper, 'setConfig'>
  /** Keeps the last good settings for starts at which the file is broken. */
  memory: { load(): string | undefined; save(text: string): void }
  clock: Clock
  log: Log
}

const LOOK_MS = 2_000

export function createConfigFile({ path, helper, memory, clock, log }: ConfigFileDeps): ConfigFile {
  const listeners: (() => void)[] = []
  let seen: string | undefined
  let settings = remembered(memory.load())
  let problems: readonly ConfigProblem[] = []
  let stopLooking = () => {}

  const look = () => {
    const { text, bytes, error } = readBytes(path)
    if (text === seen) return
    seen = text
    const result = error === undefined ? parseConfig(bytes) : { problems: [{ line: 0, field: '', message: `cannot be read: ${error}` }] }
    if ('problems' in result) {
      problems = result.problems
      log.error('config.unusable', { path, problems: problems.map(formatProblem) })
    } else {
      if (problems.length > 0) log.info('config.usable', { path })
      problems = []
      settings = result.config
      const { token: _, ...kept } = settings
      const line = JSON.stringify(kept)
      if (memory.load() !== line) memory.save(line)
    }
    for (const listener of listeners) listener()
  }
  look()

  return {
    name: 'config',
    async start() {
      stopLooking = clock.every(LOOK_MS, look)
    },
    async stop() {
      stopLooking()
    },
    current: () => settings,
    problems: () => problems,
    onChange: (listener) => void listeners.push(listener),
    async write(next) {
      await helper.setConfig(`${JSON.stringify(ApplianceConfig.parse(next), null, 2)}\n`)
      look()
    },
  }
}

function remembered(text: string | undefined): ApplianceConfig {
  if (text === undefined) return {}
  const result = parseConfig(new TextEncoder().encode(text))
  return 'config' in result ? result.config : {}
}

/** `text` tells one content from another. */
function readBytes(path: string): { text: string; bytes: Uint8Array; error?: string } {
  try {
    const bytes = readFileSync(path)
    return { text: bytes.toString('latin1'), bytes }
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { text: `error ${why}`, bytes: new Uint8Array(), error: why }
  }
}
