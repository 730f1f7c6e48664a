import { expect, test } from 'vitest'
import { decideRollout, type RolloutPlan, type RolloutSite } from './waves.ts'

const PLAN: RolloutPlan = {
  id: 'rollout-1',
  release: { id: 'r2', board: 'x86_64', version: '2.0.0' },
  selector: '',
  waves: [{ selector: 'ring=canary' }, { percent: 50 }, { percent: 100 }],
  stopAfterFailures: 1,
  state: 'running',
  why: '',
}
const plan = (change: Partial<RolloutPlan> = {}): RolloutPlan => ({ ...PLAN, ...change })
/** A site that waits on version 1. */
const site = (id: string, change: Partial<RolloutSite> = {}): RolloutSite => ({
  id,
  name: id,
  tags: {},
  board: 'x86_64',
  booted: '1.0.0',
  told: false,
  skipped: false,
  ...change,
})
const canary = (change: Partial<RolloutSite> = {}) => site('canary', { tags: { ring: 'canary' }, ...change })
const told = { told: true, wave: 0 }
const said = (phase: string, why?: string) => ({ progress: { release: 'r2', phase, ...(why === undefined ? {} : { why }) } })
const toldBy = (decision: ReturnType<typeof decideRollout>) => decision.sites.filter((one) => one.told).map((one) => one.site)

for (const { when, sites, change = {}, tells, state, why } of [
  { when: 'it begins', sites: [canary(), site('a'), site('b')], tells: ['canary'], state: 'running', why: 'wave 1 of 3' },
  { when: 'the canary is told and says nothing', sites: [canary(told), site('a')], tells: ['canary'], state: 'running' },
  { when: 'the canary fetches', sites: [canary({ ...told, ...said('fetching') }), site('a')], tells: ['canary'], state: 'running' },
  {
    when: 'the canary has booted the new version, and is still on trial',
    sites: [canary({ ...told, booted: '2.0.0', ...said('trying') }), site('a')],
    tells: ['canary'],
    state: 'running',
  },
  {
    when: 'the canary has committed (half of three sites is two: one more)',
    sites: [canary({ ...told, booted: '2.0.0', ...said('committed') }), site('a', { wave: 1, told: true }), site('b')],
    tells: ['canary', 'a'],
    state: 'running',
    why: 'wave 2 of 3; 1 of 3 sites run 2.0.0',
  },
  {
    when: 'the canary rolled back',
    sites: [canary({ ...told, ...said('rolled-back', 'DHCP did not answer') }), site('a')],
    tells: [],
    state: 'stopped',
    why: 'it failed on 1 site, and stops after 1 (canary: DHCP did not answer)',
  },
  {
    when: 'the box tells of the rollback only at its next start',
    sites: [canary({ ...told, rollback: { release: 'r2', why: 'panic' } }), site('a')],
    tells: [],
    state: 'stopped',
    why: 'canary: panic',
  },
  {
    when: 'a box refuses it',
    sites: [canary({ ...told, ...said('refused', 'it is for another board') }), site('a')],
    tells: [],
    state: 'stopped',
    why: 'it is for another board',
  },
  {
    when: 'one failed and two may',
    sites: [canary({ ...told, ...said('rolled-back') }), site('a', { wave: 1, told: true })],
    change: { stopAfterFailures: 2 },
    tells: ['canary', 'a'],
    state: 'running',
  },
  {
    when: 'a person passed over the failed canary',
    sites: [canary({ ...told, ...said('rolled-back'), skipped: true }), site('a')],
    tells: ['canary', 'a'],
    state: 'running',
  },
  { when: 'a person passed over a silent canary', sites: [canary({ ...told, skipped: true }), site('a')], tells: ['a'], state: 'running' },
  {
    when: 'it is paused',
    sites: [canary(told), site('a')],
    change: { state: 'paused', why: 'paused by ada' },
    tells: ['canary'],
    state: 'paused',
    why: 'paused by ada',
  },
  {
    when: 'it is paused and a wave is through',
    sites: [canary({ ...told, ...said('committed') }), site('a')],
    change: { state: 'paused', why: 'paused by ada' },
    tells: ['canary'],
    state: 'paused',
  },
  {
    when: 'all have committed',
    sites: [canary({ ...told, ...said('committed') }), site('a', { wave: 1, told: true, ...said('committed') })],
    tells: ['canary', 'a'],
    state: 'done',
    why: '2 of 2 sites run 2.0.0',
  },
  {
    when: 'a site had the version before anybody told it',
    sites: [canary({ booted: '2.0.0' })],
    tells: ['canary'],
    state: 'done',
  },
  { when: 'a card of a newer image was put in', sites: [canary({ ...told, booted: '2.10.0' })], tells: ['canary'], state: 'done' },
  {
    when: 'going back was ordered, and a newer version runs',
    sites: [canary({ ...told, booted: '2.10.0' })],
    change: { release: { ...PLAN.release, rollback: true } },
    tells: ['canary'],
    state: 'running',
  },
  {
    when: 'what failed long ago was another release',
    sites: [canary({ ...told, progress: { release: 'r1', phase: 'rolled-back' }, rollback: { release: 'r1', why: 'old' } })],
    tells: ['canary'],
    state: 'running',
  },
  {
    when: 'a site committed, and rolled back by hand later',
    sites: [canary({ ...told, settled: { outcome: 'committed' }, progress: { release: 'r1', phase: 'committed' } })],
    tells: ['canary'],
    state: 'done',
  },
  {
    when: 'boxes are for another board, or say nothing',
    sites: [site('pi', { board: 'rpi' }), site('dead', { board: undefined })],
    tells: [],
    state: 'running',
    why: 'no site has such a box yet',
  },
  {
    when: 'a selector leaves a site out',
    sites: [canary(), site('a', { tags: { ring: 'canary' } })],
    change: { selector: 'site=canary' },
    tells: ['canary'],
    state: 'running',
  },
  { when: 'nobody is a canary', sites: [site('a')], tells: ['a'], state: 'running', why: 'wave 2 of 3' },
] as { when: string; sites: RolloutSite[]; change?: Partial<RolloutPlan>; tells: string[]; state: string; why?: string }[])
  test(`when ${when}: ${state}, told ${tells.length === 0 ? 'is nobody' : `are ${tells.join(', ')}`}`, () => {
    const decision = decideRollout(plan(change), sites)
    expect([decision.state, toldBy(decision).sort()]).toEqual([state, [...tells].sort()])
    if (why !== undefined) expect(decision.why).toContain(why)
  })

for (const { phase, keeps } of [
  { phase: undefined, keeps: false },
  { phase: 'fetching', keeps: false },
  { phase: 'written', keeps: false },
  { phase: 'waiting', keeps: false },
  { phase: 'switched', keeps: true },
  { phase: 'trying', keeps: true },
  { phase: 'committed', keeps: true },
  { phase: 'rolled-back', keeps: false },
])
  test(`a stopped rollout ${keeps ? 'leaves its release with' : 'calls back'} a site that ${phase === undefined ? 'said nothing' : `is at ${phase}`}`, () => {
    const decision = decideRollout(plan({ state: 'stopped', why: 'stopped by ada' }), [
      canary({ ...told, ...(phase === undefined ? {} : said(phase)) }),
    ])
    expect(toldBy(decision)).toEqual(keeps ? ['canary'] : [])
    expect(decision.why).toBe('stopped by ada')
  })

test('shares count all sites of the rollout: 10, 50 and 100 of a hundred are told one after the other', () => {
  const many = plan({ waves: [{ percent: 10 }, { percent: 50 }, { percent: 100 }] })
  let sites = Array.from({ length: 100 }, (_, number) => site(`s${number}`))
  const counts: number[] = []
  for (let round = 0; round < 3; round++) {
    const decision = decideRollout(many, sites)
    counts.push(toldBy(decision).length)
    const waves = new Map(decision.sites.map((one) => [one.site, one]))
    sites = sites.map((one) => {
      const { told = false, wave } = waves.get(one.id) ?? {}
      return { ...one, told, wave, ...(told ? said('committed') : {}) }
    })
  }
  expect(counts).toEqual([10, 50, 100])
  expect(decideRollout(many, sites).state).toBe('done')
})

test('who goes first is another site in another rollout, and always the same in the same one', () => {
  const sites = Array.from({ length: 50 }, (_, number) => site(`s${number}`))
  const first = (id: string) => toldBy(decideRollout(plan({ id, waves: [{ percent: 2 }, { percent: 100 }] }), sites))
  expect(first('one')).toEqual(first('one'))
  expect(new Set(['one', 'two', 'three', 'four', 'five'].flatMap(first)).size).toBeGreaterThan(2)
})

test('a site that comes later joins the rollout, and later waves wait for it again only where they have not begun', () => {
  const two = plan({ waves: [{ selector: 'ring=canary' }, { percent: 100 }] })
  const running = site('a', { wave: 1, told: true })
  const decision = decideRollout(two, [
    canary({ ...told, ...said('committed') }),
    running,
    site('new', { tags: { ring: 'canary' } }),
    site('b'),
  ])
  expect(toldBy(decision).sort()).toEqual(['a', 'canary', 'new'])
})

test('ten thousand sites are decided on in a moment', () => {
  const sites = Array.from({ length: 10_000 }, (_, number) => site(`s${number}`, number % 2 ? { ...told, ...said('committed') } : {}))
  const started = performance.now()
  decideRollout(plan({ waves: [{ percent: 1 }, { percent: 100 }] }), sites)
  expect(performance.now() - started).toBeLessThan(1_000)
})
