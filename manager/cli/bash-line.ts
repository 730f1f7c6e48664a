import { Failure } from './failure.ts'

/** What bash shall run: a single word is a line as it was typed; several are words, each quoted. */
export function bashLine(words: readonly string[]): string {
  const [line = ''] = words
  if (words.length === 1 && line.trim() === '')
    throw new Failure('there is no command', { usage: true, next: ["bridgehead run 'role=edge' -- uptime"] })
  return words.length === 1 ? line : words.map(quoted).join(' ')
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
