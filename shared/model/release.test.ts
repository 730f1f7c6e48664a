import { describe, expect, test } from 'vitest'
import { isOpen, NewMaintenanceWindow, opensAt } from './maintenance.ts'
import { compareVersions, Version } from './release.ts'

describe('versions', () => {
  // semver.org §11, example of item 4
  const ORDER =
    '0.9.0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0'.split(
      ' ',
    )
  test('stand in the order of semver', () => {
    expect([...ORDER].reverse().sort(compareVersions)).toEqual(ORDER)
    for (const [at, version] of ORDER.entries())
      for (const [other, against] of ORDER.entries()) expect(Math.sign(compareVersions(version, against))).toBe(Math.sign(at - other))
  })
  for (const text of ['1', '1.0', 'v1.0.0', '1.0.0+build', '01.0.0', '1.0.0-', ' 1.0.0', `1.0.0-${'x'.repeat(80)}`])
    test(`"${text.slice(0, 12)}" is none`, () => expect(Version.safeParse(text).success).toBe(false))
})

const at = (text: string) => Date.parse(text)
describe('a maintenance window', () => {
  for (const { window, when, open } of [
    { window: { from: '02:00', to: '04:00' }, when: '2026-11-22T02:00Z', open: true },
    { window: { from: '02:00', to: '04:00' }, when: '2026-11-22T03:59:59Z', open: true },
    { window: { from: '02:00', to: '04:00' }, when: '2026-11-22T04:00Z', open: false },
    { window: { from: '23:00', to: '01:00' }, when: '2026-11-22T23:30Z', open: true },
    { window: { from: '23:00', to: '01:00' }, when: '2026-11-22T00:30Z', open: true },
    { window: { from: '23:00', to: '01:00' }, when: '2026-11-22T12:00Z', open: false },
    { window: { from: '23:00', to: '01:00', days: [6] }, when: '2026-11-22T00:30Z', open: true }, // opened on Saturday
    { window: { from: '23:00', to: '01:00', days: [0] }, when: '2026-11-22T00:30Z', open: false },
    { window: { from: '02:00', to: '04:00', timeZone: 'Europe/Berlin' }, when: '2026-11-22T01:30Z', open: true },
    { window: { from: '02:00', to: '04:00', timeZone: 'Europe/Berlin' }, when: '2026-07-22T00:30Z', open: true }, // summer time
    { window: { from: '02:00', to: '04:00', timeZone: 'Mars/Olympus' }, when: '2026-11-22T02:30Z', open: true }, // a newer zone counts as UTC
    { window: { from: '00:00', to: '00:00', days: [0] }, when: '2026-11-22T17:00Z', open: true },
    { window: undefined, when: '2026-11-22T17:00Z', open: true },
  ])
    test(`${window ? `${window.days ?? ''} ${window.from}-${window.to} ${window.timeZone ?? ''}` : 'that nobody set'} is ${open ? 'open' : 'shut'} at ${when}`, () =>
      expect(isOpen(window, at(when))).toBe(open))
  test('opens at its next time', () => {
    expect(opensAt({ from: '02:00', to: '04:00', days: [1] }, at('2026-11-22T20:28:47Z'))).toBe(at('2026-11-23T02:00Z'))
    // that night there is no half past two in Berlin: the clock goes from two to three
    expect(opensAt({ from: '02:30', to: '03:30', timeZone: 'Europe/Berlin' }, at('2026-03-29T00:00Z'))).toBe(at('2026-03-29T01:00Z'))
  })
  for (const { what, value } of [
    { what: 'a time zone that nobody knows', value: { from: '02:00', to: '04:00', timeZone: 'Mars/Olympus' } },
    { what: 'half past 25', value: { from: '25:30', to: '04:00' } },
    { what: 'an unknown key', value: { from: '02:00', to: '04:00', zone: 'UTC' } },
    { what: 'no days', value: { from: '02:00', to: '04:00', days: [] } },
  ])
    test(`with ${what} is refused when a person writes it`, () => expect(NewMaintenanceWindow.safeParse(value).success).toBe(false))
})
