/**
 * Where in a JSON text a value begins: the line (from 1) of the value at `path`, or of its nearest parent that is there.
 * `text` must be valid JSON.
 */
export function lineOf(text: string, path: readonly PropertyKey[]): number {
  const wanted = path.map(String)
  let at = 0
  let found = 0
  let depth = -1 // how much of `wanted` was met so far
  const blank = () => {
    while (/\s/.test(text[at] ?? '')) at++
  }
  const string = (): string => {
    const begin = at++
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    return JSON.parse(text.slice(begin, ++at)) as string
  }
  const value = (here: readonly string[]) => {
    blank()
    if (here.length > depth && here.every((part, index) => part === wanted[index])) {
      depth = here.length
      found = at
    }
    if (text[at] === '"') string()
    else if (text[at] === '{' || text[at] === '[') members(here, text[at] === '{')
    else while (/[^\s,\]}]/.test(text[at] ?? '')) at++
  }
  const members = (here: readonly string[], named: boolean) => {
    at++
    blank()
    for (let index = 0; text[at] !== '}' && text[at] !== ']'; index++) {
      let name = String(index)
      if (named) {
        const begin = at
        name = string()
        // an unknown name is told by its own line, not by its value's
        if (here.length + 1 === wanted.length && [...here, name].every((part, i) => part === wanted[i])) found = begin
        blank()
        at++ // the colon
      }
      value([...here, name])
      blank()
      if (text[at] === ',') at++
      blank()
    }
    at++
  }
  value([])
  return text.slice(0, found).split('\n').length
}

/** Line of the mistake that JSON.parse found. V8 tells it, except where the text ends too early. */
export function lineOfMistake(text: string, message: string): number {
  const told = /\bline (\d+) column \d+/.exec(message)?.[1]
  if (told !== undefined) return Number(told)
  const position = /\bposition (\d+)/.exec(message)?.[1]
  return text
    .slice(0, position === undefined ? undefined : Number(position))
    .trimEnd()
    .split('\n').length
}
