/** One line of a script as iPXE sees it (continuations joined). */
export interface Line {
  /** Of its first line in the text, counted from 1. */
  number: number
  label?: string
  /** Each a command with its arguments; a line has several when `&&`, `||` or `;` stand between them. */
  commands: string[][]
}

const BETWEEN = new Set(['&&', '||', ';'])

/** Splits as iPXE does: white space alone parts words, there are no quotes, and `#` at a word's start begins a comment (core/exec.c). */
export function linesOf(script: string): Line[] {
  const lines: Line[] = []
  let joined = ''
  let number = 0
  script.split('\n').forEach((raw, index) => {
    if (joined === '') number = index + 1
    const text = raw.replace(/\r$/, '')
    if (text.endsWith('\\')) {
      joined += text.slice(0, -1) || ' '
      return
    }
    lines.push(lineOf(joined + text, number))
    joined = ''
  })
  if (joined !== '') lines.push(lineOf(joined, number))
  return lines.filter((line) => line.label !== undefined || line.commands.length > 0)
}

function lineOf(text: string, number: number): Line {
  const labelled = /^\s*:(\S*)(.*)$/s.exec(text)
  const commands = commandsIn(labelled ? (labelled[2] ?? '') : text)
  return labelled ? { number, label: labelled[1] ?? '', commands } : { number, commands }
}

function commandsIn(text: string): string[][] {
  const commands: string[][] = [[]]
  for (const word of text.split(/\s+/).filter(Boolean)) {
    if (word.startsWith('#')) break
    if (BETWEEN.has(word)) commands.push([])
    else commands.at(-1)?.push(word)
  }
  return commands.filter((words) => words.length > 0)
}
