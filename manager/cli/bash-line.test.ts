import { expect, test } from 'vitest'
import { bashLine } from './bash-line.ts'

test.each([
  [['uname -a | wc'], 'uname -a | wc'],
  [['echo', "it's"], "echo 'it'\\''s'"],
  [['ls', '-l', '/etc/*'], "ls -l '/etc/*'"],
])('%j is run as %s', (words, line) => expect(bashLine(words)).toBe(line))

test('no command is no command', () => expect(() => bashLine([' '])).toThrow('there is no command'))
