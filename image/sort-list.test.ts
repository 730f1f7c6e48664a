import { expect, test } from 'vitest'
import { formatSortList } from './sort-list.ts'

test('what changes with the daemon lies last: the bundle and release.json behind documents, those behind scripts and the rest', () => {
  const lines = formatSortList(['main.mjs', 'better_sqlite3.node', 'release.json'], ['usr/share/bridgehead/sbom.spdx.json'], ['etc/rcS'])
    .trimEnd()
    .split('\n')
  const priority = (end: string) => Number(lines.find((line) => line.split(' ')[0]?.endsWith(end))?.split(' ')[1])
  expect(priority('better_sqlite3.node')).toBeGreaterThan(priority('etc/rcS'))
  expect(priority('etc/rcS')).toBeGreaterThan(priority('sbom.spdx.json'))
  expect(priority('sbom.spdx.json')).toBeGreaterThan(priority('main.mjs'))
  expect(priority('release.json')).toBe(priority('main.mjs'))
  expect(lines).toHaveLength(5)
})
