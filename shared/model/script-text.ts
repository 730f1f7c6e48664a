import { z } from 'zod'

/** Characters (UTF-16 units) of a script: it travels whole in states and orders. */
export const SCRIPT_CHARACTERS = 262_144

/** What is wrong with a script of so many characters; undefined: nothing. */
export function tooLong(characters: number): string | undefined {
  if (characters <= SCRIPT_CHARACTERS) return undefined
  const [has, most] = [characters, SCRIPT_CHARACTERS].map((count) => count.toLocaleString('en'))
  return `${has} characters are too many; expected at most ${most} (fetch what is larger by URL)`
}

/** A script as people send it; the refusal tells its length. */
export const ScriptText = z.string().max(SCRIPT_CHARACTERS, {
  error: ({ input }) => tooLong(typeof input === 'string' ? input.length : 0),
})
