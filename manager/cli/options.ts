import { parseSelector, SelectorError } from '@bridgehead/shared/model/tags.ts'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { z } from 'zod'
import { Failure, marked } from './failure.ts'

/** Every command that answers something can answer it to programs. */
export interface JsonOption {
  json?: true
}

/** A command below `parent`, with `--json`. */
export function command(parent: Command, usage: string, description: string): Command {
  return parent.command(usage).description(description).option('--json', 'answer in JSON, for programs')
}

/** A group such as `site`; alone it shows its help. */
export function group(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description)
}

/** An option that is one of few words; help and completion name them. */
export function choice(flags: string, description: string, { options }: { options: readonly string[] }): Option {
  return new Option(flags, description).choices(options)
}

/** An option's value by its schema; the refusal says what was expected. */
export function checked<T>(schema: z.ZodType<T, unknown>): (text: string) => T {
  return (text) => {
    const read = schema.safeParse(text)
    if (read.success) return read.data
    throw new InvalidArgumentError(read.error.issues.map((issue) => issue.message).join('; '))
  }
}

/** A whole number between these two, both included. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    throw new InvalidArgumentError(`expected a whole number, ${least} to ${most}`)
  }
}

/** The same for an option that may be given again; each may hold several, by commas. */
export function listOf<T>(schema: z.ZodType<T, unknown>): (text: string, before: T[] | undefined) => T[] {
  const one = checked(schema)
  return (text, before = []) => [...before, ...text.split(',').map((part) => one(part.trim()))]
}

/** `key=value` into a map; given again, more of them. */
export function pairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected key=value')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** Throws Failure with the place marked, before anybody is asked. */
export function checkSelector(text: string): string {
  try {
    parseSelector(text)
    return text
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    throw new Failure(error.message, {
      code: 'selector',
      usage: true,
      details: marked(text, error.at),
      next: ["such as: 'region=nuremberg,role in (edge,db),!gpu'; every host: ''"],
      cause: error,
    })
  }
}
