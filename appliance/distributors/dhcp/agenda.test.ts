import { expect, test } from 'vitest'
import { createAgenda } from './agenda.ts'

test('an address is due once its time has passed, and only once', () => {
  const agenda = createAgenda()
  agenda.add(7, 12_000)
  expect(agenda.due(12_000)).toEqual([]) // buckets of ten seconds: never too early
  expect(agenda.due(20_000)).toEqual([7])
  expect(agenda.due(90_000)).toEqual([])
})

test('a renewed address is found at its old time, for the caller to add again', () => {
  const agenda = createAgenda()
  agenda.add(7, 10_000)
  agenda.add(7, 50_000)
  expect(agenda.due(10_000)).toEqual([7])
  agenda.add(7, 50_000)
  expect(agenda.due(40_000)).toEqual([])
  expect(agenda.due(50_000)).toEqual([7])
})

test('an address whose time was shortened is due at the new one', () => {
  const agenda = createAgenda()
  agenda.add(7, 90_000)
  agenda.add(7, 10_000)
  expect(agenda.due(10_000)).toEqual([7])
  expect(agenda.due(90_000)).toEqual([])
})
