import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { z } from 'zod'
import { lineOf, lineOfMistake } from './json-lines.ts'

/** What is wrong with `bridgehead.json`, and where. */
export interface ConfigProblem {
  /** From 1; 0 where the file as a whole is meant. */
  line: number
  /** Such as `uplink.address`; empty where the text is no JSON. */
  field: string
  /** What was expected. */
  message: string
}

export type ReadConfig = { config: ApplianceConfig } | { problems: readonly ConfigProblem[] }

/** Reads the bytes of `bridgehead.json`. Never throws: people write this file, in all editors, and pull cards out. */
export function parseConfig(bytes: Uint8Array): ReadConfig {
  if (bytes.length === 0) return wrong(0, '', 'the file is empty; expected { } with at least "manager"')
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return wrong(0, '', 'the file is saved as UTF-16; save it as UTF-8')
  const text = new TextDecoder().decode(bytes) // drops a byte order mark
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return wrong(lineOfMistake(text, String(error)), '', explainSyntax(text, error))
  }
  const parsed = ApplianceConfig.safeParse(value)
  if (!parsed.success) return { problems: parsed.error.issues.flatMap((issue) => explain(text, issue)) }
  const problem = checkManager(parsed.data)
  return problem ? wrong(lineOf(text, [problem.field]), problem.field, problem.message) : { config: parsed.data }
}

/** Rules that go across fields. */
export function checkManager({
  manager,
  token,
}: Pick<ApplianceConfig, 'manager' | 'token'>): { field: string; message: string } | undefined {
  if (manager === undefined)
    return token === undefined
      ? undefined
      : { field: 'token', message: 'expected "manager" beside it: the URL of the manager that made the token' }
  const { protocol, hostname } = new URL(manager)
  if (protocol === 'http:' && !isLoopback(hostname))
    return { field: 'manager', message: 'expected https://; plain http is only for loopback, because the token would travel in the open' }
  return undefined
}

/** `line 3, uplink.address: expected an address ...`. */
export function formatProblem({ line, field, message }: ConfigProblem): string {
  const where = [line === 0 ? '' : `line ${line}`, field].filter((part) => part !== '').join(', ')
  return where === '' ? message : `${where}: ${message}`
}

const wrong = (line: number, field: string, message: string): ReadConfig => ({ problems: [{ line, field, message }] })

function explain(text: string, issue: z.core.$ZodIssue): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const path = [...issue.path, key]
      return { line: lineOf(text, path), field: path.join('.'), message: 'no such setting; look for a slip of the pen' }
    })
  return [{ line: lineOf(text, issue.path), field: issue.path.join('.') || 'document', message: issue.message }]
}

function explainSyntax(text: string, error: unknown): string {
  const hint = /[\u201c\u201d]/.test(text) ? '; write plain " instead of typographic quotation marks' : ''
  const said = (error instanceof Error ? error.message : String(error))
    .replace(/ in JSON at position.*| \(line \d+.*\)/, '')
    .replace(/, .*is not valid JSON/s, '')
  return `no valid JSON here: ${said}${hint}`
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
