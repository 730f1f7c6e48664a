import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BOARD_SPECS, BOARDS } from './boards.ts'
import { formatLock, Lock } from './lock.ts'
import { TOOL_PACKAGES } from './packages.ts'

const text = (name: string) => readFileSync(new URL(`./lock/${name}.json`, import.meta.url), 'utf8')
const names = (name: string) => new Set(Lock.parse(JSON.parse(text(name))).packages.map((one) => one.name))

test.each(['x86_64', 'rpi', 'tools-amd64', 'tools-arm64'])('lock %s is what the updater writes', (name) => {
  expect(formatLock(Lock.parse(JSON.parse(text(name))))).toBe(text(name))
})

test.each(BOARDS)('the lock of %s names all packages that the board is made from, and a kernel', (board) => {
  const locked = names(board)
  const spec = BOARD_SPECS[board]
  expect([...spec.root, ...spec.boot].map(({ name }) => name).filter((name) => !locked.has(name))).toEqual([])
  expect([...locked].some((name) => spec.kernel.packages.some((pattern) => pattern.test(name)))).toBe(true)
})

test.each(['tools-amd64', 'tools-arm64'])('%s names all programs that build', (name) => {
  const locked = names(name)
  expect(TOOL_PACKAGES.filter((tool) => !locked.has(tool))).toEqual([])
})
