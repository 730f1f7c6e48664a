import type { Argument, Command, Option } from 'commander'

/** What may stand at the end of a line: words that are known, and names that the manager knows. */
export interface Candidates {
  words: { word: string; about: string }[]
  names: NameKind | undefined
}
export type NameKind = 'site' | 'host' | 'script' | 'profile' | 'run'
const NAMES: readonly string[] = ['site', 'host', 'script', 'profile', 'run'] satisfies NameKind[]

/** `words`: all after `bridgehead`, the last one as far as it was typed. Pure. */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const before = words.slice(0, -1)
  const typed = words.at(-1) ?? ''
  let command = program
  let operands = 0
  let waiting: Option | undefined
  for (const word of before) {
    if (word === '--') return NOTHING // what comes now is the host's, not ours
    if (waiting) waiting = undefined
    else if (word.startsWith('-')) {
      const option = optionsOf(command).find(({ short, long }) => [short, long].includes(word.replace(/=.*/, '')))
      if (option && takesValue(option) && !word.includes('=')) waiting = option
    } else {
      const next = visible(command).find((one) => one.name() === word)
      if (next) {
        command = next
        operands = 0
      } else operands++
    }
  }
  if (waiting) return valuesOf(waiting)
  if (typed.startsWith('-'))
    return known(
      optionsOf(command).map((one) => ({ word: one.long ?? one.short ?? '', about: one.description })),
      typed,
    )
  const subcommands = visible(command).map((one) => ({ word: one.name(), about: one.description() }))
  if (subcommands.length > 0) return known(subcommands, typed)
  const argument = command.registeredArguments[operands] ?? command.registeredArguments.findLast((one) => one.variadic)
  if (!argument) return NOTHING
  const choices = (argument.argChoices ?? []).map((word) => ({ word, about: '' }))
  return { ...known(choices, typed), names: kindOf(argument) }
}

const NOTHING: Candidates = { words: [], names: undefined }

function known(all: readonly { word: string; about: string }[], typed: string): Candidates {
  return { words: all.filter(({ word }) => word !== '' && word.startsWith(typed)), names: undefined }
}

const visible = (command: Command) =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help')
const optionsOf = (command: Command) => command.createHelp().visibleOptions(command)
const takesValue = (option: Option) => option.required || option.optional

function valuesOf(option: Option): Candidates {
  const words = (option.argChoices ?? []).map((word) => ({ word, about: '' }))
  return { words, names: words.length > 0 ? undefined : nameKind(option.attributeName()) }
}

const kindOf = (argument: Argument) => nameKind(argument.name())
const nameKind = (name: string) => NAMES.find((one): one is NameKind => one === name)
