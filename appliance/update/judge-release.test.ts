import { describe, expect, test } from 'vitest'
import { makeSystem, manifestOf } from './fake-box.ts'
import { judgeRelease, type ThisBox } from './judge-release.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 22)
const system = makeSystem('1.1.0', { blocks: 2, changed: 0 })
const box: ThisBox = {
  board: 'x86_64',
  version: '1.0.0',
  floor: undefined,
  slotBytes: 10_000_000,
  oldestReader: 2,
  now: NOW,
  timeKnown: true,
  notBefore: NOW - DAY,
}
const good = manifestOf('1.1.0', system, { expiresAt: NOW + DAY })

for (const { release, manifest = {}, on = {}, verdict } of [
  { release: 'that fits', verdict: 'good' },
  { release: 'for several boards', manifest: { boards: ['rpi', 'x86_64', 'riscv'] }, verdict: 'good' },
  { release: 'for another board', manifest: { boards: ['rpi'] }, verdict: '1.1.0 is for rpi; this box is x86_64' },
  {
    release: 'of a newer protocol',
    manifest: { protocol: 2 },
    verdict: 'written in protocol 2; this box speaks 1 and must take an older release first',
  },
  { release: 'just at its floor', manifest: { floor: '1.0.0' }, verdict: 'good' },
  {
    release: 'above whose floor this box does not stand',
    manifest: { floor: '1.0.1' },
    verdict: '1.1.0 takes boxes from 1.0.1 on; this one runs 1.0.0, so a release in between must come first',
  },
  {
    release: 'that is older',
    on: { version: '1.2.0' },
    verdict: '1.1.0 is older than 1.2.0, which runs; going back must be ordered as such',
  },
  { release: 'that is older, ordered as a way back', on: { version: '1.2.0' }, manifest: { rollback: true }, verdict: 'good' },
  { release: 'of the same version', on: { version: '1.1.0' }, verdict: 'good' },
  {
    release: 'below the floor that was committed here once',
    on: { floor: '1.1.5' },
    verdict: '1.1.0 is older than 1.1.5, below which this box does not go any more; going back must be ordered as such',
  },
  {
    release: 'that cannot read the store',
    manifest: { dataSchema: 1 },
    verdict: '1.1.0 reads stores up to schema 1; what this box has stored needs 2',
  },
  {
    release: 'a pre-release of what runs',
    manifest: { version: '1.0.0-rc.1' },
    verdict: '1.0.0-rc.1 is older than 1.0.0, which runs; going back must be ordered as such',
  },
  {
    release: 'larger than the slot',
    on: { slotBytes: 100_000 },
    verdict: `1.1.0 has ${system.length} bytes; this box's slot takes 100000`,
  },
  {
    release: 'with an index of another length',
    manifest: { blocks: { ...good.blocks, bytes: 64 } },
    verdict: `its index has 64 bytes; ${system.length} bytes of system need 96`,
  },
  { release: 'without a version', manifest: { version: 'latest' }, verdict: 'version: expected a version such as 1.2.3 or 1.2.3-rc.1' },
  { release: 'that expires just now', manifest: { expiresAt: NOW }, verdict: '1.1.0 expired on 2026-11-22; today is 2026-11-22' },
  {
    release: 'that expired, by a clock that is slow: the state is newer',
    manifest: { expiresAt: NOW - 2 * DAY },
    on: { now: 0 },
    verdict: "1.1.0 expired on 2026-11-20, before the site's state of 2026-11-21",
  },
  { release: 'on a box whose clock stands at 1970', on: { now: 0, timeKnown: false }, verdict: 'good' },
  {
    release: 'on a box whose clock says 2099, which nobody confirmed',
    on: { now: Date.UTC(2099, 0, 1), timeKnown: false },
    verdict: "later: this box's clock says 2099-01-01, past the expiry of 1.1.0 on 2026-11-23, and nobody confirmed it yet",
  },
])
  test(`a release ${release}: ${verdict}`, () => {
    const found = judgeRelease({ ...good, ...manifest }, { ...box, ...on })
    expect(found.kind === 'good' ? 'good' : found.kind === 'later' ? `later: ${found.why}` : found.why).toBe(verdict)
  })

describe('anything else', () => {
  for (const value of [
    undefined,
    null,
    1,
    'text',
    [],
    {},
    { protocol: 1 },
    { ...good, slot: { ...good.slot, bytes: -1 } },
    { ...good, blockBytes: 4096 },
    { ...good, boards: [] },
    { ...good, expiresAt: Number.NaN },
  ])
    test(`${JSON.stringify(value)?.slice(0, 60)} is refused`, () => expect(judgeRelease(value, box).kind).toBe('refused'))

  test('and every manifest with one field spoilt is judged, never thrown at', () => {
    const spoilt = [
      undefined,
      null,
      '',
      'x'.repeat(10_000),
      -1,
      0,
      1e308,
      Number.POSITIVE_INFINITY,
      [],
      {},
      '9999999999999999999.0.0',
      '1.0.0-0.0',
      true,
    ]
    for (const key of Object.keys(good))
      for (const value of spoilt) expect(['good', 'later', 'refused']).toContain(judgeRelease({ ...good, [key]: value }, box).kind)
  })
})
