import { expect, test } from 'vitest'
import { BOARD_SPECS } from './boards.ts'
import { kernelParameters } from './cmdline.ts'
import { versionOf } from './release.ts'

test('an image with foreign files is another version, and one that a release may have', () => {
  expect(versionOf('0.1.0', { overlay: false })).toBe('0.1.0')
  expect(versionOf('0.1.0', { overlay: true })).toBe('0.1.0-overlay')
  expect(() => versionOf('1.x', { overlay: false })).toThrow('expected a version')
})

test('kernel parameters: a panic restarts the box, and the screen is the last console', () => {
  const words = kernelParameters(BOARD_SPECS.rpi).split(' ')
  expect(words).toEqual(expect.arrayContaining(['panic=10', 'oops=panic', 'gpt', 'console=ttyS1,115200']))
  expect(words.filter((word) => word.startsWith('console=')).pop()).toBe('console=tty0')
})
