import { expect, test } from 'vitest'
import { family, parseStat, readProcess } from './processes.ts'

const stat = (name: string) => `71 (${name}) S 70 71 71 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 8814 2500000 250 1844674 0 0`

for (const name of ['cc1', 'a) R 1 (b', ') ', ''])
  test(`a command named "${name}" is read`, () => {
    expect(parseStat(stat(name))).toEqual({ pid: 71, parent: 70, state: 'S', startedAt: '8814', residentBytes: 250 * 4096 })
  })

test('what is no stat line is nothing', () => expect(parseStat('')).toBeUndefined())

test('a family is all that descend from one', () => {
  const one = (pid: number, parent: number) => ({ pid, parent, state: 'S', startedAt: '0', residentBytes: 0 })
  const all = [one(1, 0), one(5, 1), one(6, 5), one(7, 6), one(8, 1), one(9, 8), one(3, 7)]
  expect(family(all, 5).map(({ pid }) => pid)).toEqual([5, 6, 7, 3])
  expect(family(all, 99)).toEqual([])
})

test('this process is there, one that never was is not', async () => {
  expect((await readProcess(process.pid))?.state).toMatch(/[RSD]/)
  expect(await readProcess(4_194_399)).toBeUndefined()
})
