import { expect, test } from 'vitest'
import { nameList, type RolloutWish, rolloutOf, takers, waveWords, windowWords } from './pages/rollout-plan.ts'
import {
  atStop,
  heldRollouts,
  type Rollout,
  type RolloutSite,
  rolloutWords,
  siteWords,
  versionsSentence,
  wavesOf,
} from './pages/rollout-words.ts'

const site = (name: string, more: Partial<RolloutSite> = {}): RolloutSite => ({
  site: name,
  name,
  outcome: 'waiting',
  skipped: false,
  ...more,
})
const rollout = (more: Partial<Rollout> = {}): Rollout => ({
  ...{ id: 'r', release: { id: 'x', version: '1.1.0', board: 'x86_64' }, selector: '', stopAfterFailures: 1, state: 'running', why: '' },
  ...{
    waves: [{ selector: 'ring=canary' }, { percent: 100 }],
    createdBy: 'Ada',
    createdAt: 0,
    updatedAt: 0,
    counts: {},
    sites: [],
    ...more,
  },
})
const progress = (phase: string, more = {}) => ({ phase, at: 0, ...more })

test.each([
  ['waits for its wave', site('a'), {}, 'quiet', 'waits for its wave'],
  ['waits in a paused rollout', site('a'), { state: 'paused' }, 'quiet', 'waits; the rollout is paused'],
  ['was never told', site('a'), { state: 'stopped' }, 'quiet', 'was not told'],
  ['was called back', site('a', { toldAt: 1 }), { state: 'stopped' }, 'quiet', 'called back'],
  ['was passed over', site('a', { skipped: true }), {}, 'quiet', 'passed over'],
  ['was told', site('a', { outcome: 'told' }), {}, 'busy', 'told; has not begun'],
  [
    'fetches',
    site('a', { outcome: 'updating', progress: progress('fetching', { bytes: 1_048_576, total: 4_194_304 }) }),
    {},
    'busy',
    'fetches it (1.0 MiB of 4.0 MiB)',
  ],
  [
    'waits for its hours',
    site('a', { outcome: 'updating', progress: progress('waiting') }),
    {},
    'quiet',
    'waits for its maintenance hours',
  ],
  ['is of a newer kind', site('a', { outcome: 'updating', progress: progress('polishing') }), {}, 'busy', 'polishing'],
  ['runs it', site('a', { outcome: 'committed' }), {}, 'ok', 'runs 1.1.0'],
  ['ran it before', site('a', { outcome: 'committed', why: 'it runs this version already' }), {}, 'ok', 'it runs this version already'],
  ['went back', site('a', { outcome: 'failed', why: 'DHCP was not well' }), {}, 'failed', 'went back: DHCP was not well'],
  [
    'refused it, and was passed over',
    site('a', { outcome: 'failed', why: 'it has expired', skipped: true, progress: progress('refused') }),
    {},
    'failed',
    'refused it: it has expired; passed over',
  ],
] as const)('a site that %s', (_, one, more, tone, words) => {
  expect(siteWords(one, rollout(more))).toEqual({ tone, words })
})

test('waves: one is done, one under way, one waits for it; who is in none is shown', () => {
  const waves = [{ selector: 'ring=canary' }, { percent: 50 }, { percent: 90 }]
  const sites = [
    site('a', { wave: 0, outcome: 'committed' }),
    site('b', { wave: 1, outcome: 'updating' }),
    site('c', { wave: 2 }),
    site('d'),
  ]
  const views = (state: Rollout['state']) => wavesOf({ waves, sites, state }).map(({ name, verdict }) => `${name}: ${verdict.words}`)
  expect(views('running')).toEqual([
    'ring=canary: done',
    '50 % of all sites: under way',
    '90 % of all sites: begins when wave 2 has settled',
    'in no wave: never told',
  ])
  expect(views('paused')[1]).toBe('50 % of all sites: paused')
  expect(views('stopped')[2]).toBe('90 % of all sites: ended with the rollout')
})

test('a wave whose failed sites were fewer than the limit has settled, and says so', () => {
  const sites = [site('a', { wave: 0, outcome: 'failed' }), site('b', { wave: 0, outcome: 'committed' })]
  expect(wavesOf(rollout({ sites })).map(({ verdict }) => verdict)).toEqual([
    { tone: 'failed', words: 'settled; 1 of 2 failed' },
    { tone: 'quiet', words: 'takes no site' },
  ])
})

test('a stop calls back whoever has not switched', () => {
  const updating = (name: string, phase: string) => site(name, { outcome: 'updating', progress: progress(phase) })
  const sites = [site('told', { outcome: 'told' }), updating('fetching', 'fetching'), updating('trying', 'trying'), site('later')]
  expect(atStop([...sites, site('done', { outcome: 'committed' })])).toEqual({
    back: ['told', 'fetching'],
    on: ['trying'],
    never: ['later'],
  })
})

test.each([
  ['running', '', 'under way'],
  ['running', 'wave 1 of 2', 'under way: wave 1 of 2'],
  ['paused', 'paused by Ada', 'paused by Ada'],
  ['stopped', 'it failed on 1 site', 'stopped: it failed on 1 site'],
] as const)('a rollout that is %s (%s)', (state, why, words) => {
  expect(rolloutWords({ state, why })).toBe(words)
})

test('the overview shows paused rollouts, and a stopped one until another is ordered or a week has passed', () => {
  const one = (state: Rollout['state'], updatedAt = 0, board = 'x86_64') =>
    rollout({ state, updatedAt, release: { id: 'x', version: '1', board } })
  const all = [one('running'), one('stopped'), one('paused'), one('stopped', 0, 'rpi'), one('done')]
  expect(heldRollouts(all, 1_000)).toEqual([all[2], all[3]])
  expect(heldRollouts([one('stopped')], 8 * 86_400_000)).toEqual([])
})

const box = (image: string) => ({
  appliance: { enrolledAt: 0, version: '0', hardware: { macs: [] }, booted: { image, at: 0, version: image } },
})
test.each([
  [[], 'No box has told of itself yet.'],
  [[box('1.0.0')], 'The box runs 1.0.0.'],
  [[box('1.0.0'), box('1.0.0')], 'All 2 boxes run 1.0.0.'],
  [[box('1.0.0'), box('1.1.0'), box('1.0.0'), {}], 'Of 3 boxes, 2 run 1.0.0, 1 runs 1.1.0.'],
])('what boxes really run: %#', (sites, sentence) => {
  expect(versionsSentence(sites)).toBe(sentence)
})

const wish: RolloutWish = {
  release: 'x',
  selector: ' region=north ',
  waves: [
    { key: '1', kind: 'selector', percent: 50, selector: 'ring=canary ' },
    { key: '2', kind: 'percent', percent: '25', selector: 'left over' },
  ],
  stopAfterFailures: '2',
  hours: false,
  window: { from: '02:00', to: '04:00', timeZone: 'Europe/Berlin', days: ['6', '0'] },
}
test('the form becomes what the API takes', () => {
  const order = { release: 'x', selector: 'region=north', waves: [{ selector: 'ring=canary' }, { percent: 25 }], stopAfterFailures: 2 }
  expect(rolloutOf(wish)).toEqual(order)
  expect(rolloutOf({ ...wish, hours: true }).window).toEqual({ from: '02:00', to: '04:00', timeZone: 'Europe/Berlin', days: [0, 6] })
  expect(rolloutOf({ ...wish, hours: true, window: { ...wish.window, days: [] } }).window).not.toHaveProperty('days')
})

test('who is taken is shown before the order', () => {
  const boxes = ['a', 'b', 'c'].map((name) => ({
    name,
    tags: name === 'a' ? { ring: 'canary' } : {},
    board: name === 'c' ? 'rpi' : 'x86_64',
  }))
  expect(takers('', 'x86_64', boxes).taken.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(takers('site=b', 'x86_64', boxes)).toMatchObject({ all: ['a', 'b'], taken: [{ name: 'b' }] })
  expect(takers('ring in (', 'x86_64', boxes)).toMatchObject({ taken: [], why: expect.any(String) })
  expect(waveWords({ kind: 'percent', percent: 10, selector: '' }, boxes)).toBe('until 1 of 3 have it')
  expect(waveWords({ kind: 'percent', percent: 100, selector: '' }, boxes)).toBe('all that are left')
  expect(waveWords({ kind: 'selector', percent: 10, selector: 'ring=canary' }, boxes)).toBe('a')
  expect(waveWords({ kind: 'selector', percent: 10, selector: 'ring=x' }, boxes)).toBe('no site')
})

test('lists and hours in words', () => {
  expect(nameList(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c, d and e')
  expect(nameList(['a', 'b', 'c', 'd', 'e', 'f'])).toBe('a, b, c, d and 2 more')
  expect(windowWords(undefined)).toBe('at any time')
  expect(windowWords({ from: '02:00', to: '04:00', days: [0, 6] })).toBe('02:00 to 04:00, UTC, Sunday and Saturday')
})
