import { Lan } from '@bridgehead/shared/model/state.ts'
import { expect, test, vi } from 'vitest'
import { ApiProblem } from './api/problem.ts'
import { outdatedBy } from './outdated.ts'
import { createPacer } from './pacer.ts'
import { recipeOf } from './pages/media-recipe.ts'
import { bootState, ticks, usualMs } from './parts/boot-times.ts'
import { asFormPaths, restOf } from './parts/form-errors.ts'
import { lanInput, lanOutput } from './parts/lan-input.ts'
import { rebased } from './parts/rebase.ts'
import { readSelector } from './parts/selector.ts'
import { readTags, tagLines } from './parts/tags.ts'
import { hostVerdict, overviewSentence, type Site, siteVerdict } from './verdict.ts'

const NOW = 1_800_000_000_000
const site: Site = {
  id: 's',
  name: 'shop-7',
  tags: {},
  lans: [],
  unknown: 'local-disk',
  dns: { zone: 'internal', forwarders: [], records: [] },
  revision: 1,
  createdAt: 0,
  updatedAt: 0,
  stateRevision: 4,
}
const appliance = { enrolledAt: 0, version: '0.1.0', hardware: { macs: [] }, appliedRevision: 4 }
const online = { at: NOW - 5_000, version: '0.1.0', revision: 4, outbox: 0 }

test.each([
  ['a site without a box waits', site, 'quiet', 'waits for its appliance'],
  ['a box in touch that has the newest settings is fine', { ...site, appliance, online }, 'ok', 'fine'],
  ['a box that is behind applies', { ...site, appliance, online: { ...online, revision: 3 } }, 'busy', 'applies revision 4'],
  ['a silent box works on by itself', { ...site, appliance }, 'attention', 'does not answer; it works on by itself'],
  [
    'an old sign of life is silence',
    { ...site, appliance, online: { ...online, at: NOW - 61_000 } },
    'attention',
    'does not answer; it works on by itself',
  ],
  [
    'a refused state is said with its reason',
    { ...site, appliance: { ...appliance, refused: { revision: 5, why: 'signed by another key', at: NOW } }, online },
    'failed',
    'refused the newest settings: signed by another key',
  ],
] as const)('%s', (_, given, tone, words) => {
  expect(siteVerdict(given as Site, NOW)).toEqual({ tone, words })
})

test('the first sentence counts what is fine, what is not, and what waits for a person', () => {
  const fine = { tone: 'ok', words: 'fine' } as const
  const bad = { tone: 'attention', words: '' } as const
  const empty = { tone: 'quiet', words: '' } as const
  expect(overviewSentence([fine, fine, fine, bad], 2, 0)).toBe('3 sites fine, 1 site needs attention, 2 machines wait for you.')
  expect(overviewSentence([empty], 0, 1)).toBe('1 site without its appliance, 1 machine failed.')
  expect(overviewSentence([fine], 0, 0)).toBe('1 site fine.')
})

test('a host that nobody approved waits, whatever else is known of it', () => {
  expect(hostVerdict({ status: 'ready', approved: false, retired: false, why: undefined })).toEqual({
    tone: 'attention',
    words: 'waits for approval',
  })
  expect(hostVerdict({ status: 'failed', approved: true, retired: false, why: 'image: sha256 differs' }).words).toBe(
    'failed: image: sha256 differs',
  )
})

test('a fact makes only that old which it is about', () => {
  const fact = { seq: 1, site: 's', host: 'h', data: {} }
  expect(outdatedBy({ ...fact, kind: 'boot.stage' })).toEqual([['hosts', 'h']])
  expect(outdatedBy({ ...fact, kind: 'host.status' })).toEqual([
    ['sites', 's'],
    ['sites'],
    ['hosts'],
    ['hosts', 'of-site', 's'],
    ['hosts', 'h'],
  ])
  expect(outdatedBy({ ...fact, kind: 'run.output' })).toEqual([['runs']])
  expect(outdatedBy({ ...fact, host: null, kind: 'state.applied' })).toEqual([['sites', 's'], ['sites'], ['rollouts']])
  expect(outdatedBy({ ...fact, host: null, kind: 'dhcp.pool-full' })).toEqual([
    ['sites', 's'],
    ['sites'],
    ['hosts'],
    ['hosts', 'of-site', 's'],
  ])
})

test('problems are shown at the field that they name, and only the rest elsewhere', () => {
  expect(asFormPaths({ 'lans[1].subnet': 'overlaps' })).toEqual({ 'lans.1.subnet': 'overlaps' })
  const problem = new ApiProblem(400, 'invalid', 'lans[1].subnet: overlaps', { 'lans[1].subnet': 'overlaps' })
  expect(restOf(problem, ['name', 'lans'])).toBeUndefined()
  expect(restOf(problem, ['name'])).toBe('lans[1].subnet: overlaps')
  expect(restOf(new ApiProblem(409, 'in-use', 'a rule uses it'), ['name'])).toBe('a rule uses it')
})

test('a LAN survives the form: what it does not show stays, what was emptied goes', () => {
  const given = Lan.parse({
    name: 'main',
    subnet: '192.168.1.0/24',
    address: '192.168.1.2',
    mode: 'serve',
    router: '192.168.1.1',
    ranges: [
      { from: '192.168.1.100', to: '192.168.1.120' },
      { from: '192.168.1.130', to: '192.168.1.140' },
    ],
    leaseSeconds: 600,
  })
  expect(lanOutput(lanInput(given), given)).toMatchObject(given)
  expect(lanOutput({ ...lanInput(given), router: '', from: '', to: '' }, given)).toMatchObject({ ranges: [] })
  expect(lanOutput({ ...lanInput(given), router: '' }, given)).not.toHaveProperty('router')
})

test('tags are read line by line, and a wrong line is named', () => {
  expect(readTags('role=edge\n\nspare')).toEqual({ tags: { role: 'edge', spare: '' } })
  expect(readTags('a=1\n=2').why).toBe('line 2: expected key=value')
  expect(readTags('a=1\na=2').why).toBe('line 2: "a" is there already')
  expect(readTags(tagLines({ a: '1', b: '' })).tags).toEqual({ a: '1', b: '' })
})

test('a selector that is none says why and filters nothing away by mistake', () => {
  expect(readSelector('role=edge').terms).toHaveLength(1)
  expect(readSelector('role in (edge').wrong).toEqual({
    why: 'selector "role in (edge": a closing parenthesis is missing, at character 9',
    at: 8,
  })
})

test('the usual time of a stage is the median of earlier boots; the last stage has none', () => {
  const boot = (ms: number) => ({
    stages: [
      { stage: 'discover', at: 0 },
      { stage: 'kernel', at: ms },
    ],
  })
  expect([...usualMs([boot(100), boot(900), boot(300)])]).toEqual([['discover', 300]])
  expect(usualMs([]).size).toBe(0)
})

test.each([
  [800, [0, 200, 400, 600, 800]],
  [62_000, [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]],
])('a boot of %i ms is marked at round times', (ms, marks) => {
  expect(ticks(ms)).toEqual(marks)
})

test('a wish for media leaves out what was not asked for', () => {
  const wish = {
    name: '',
    kind: 'url',
    site: 'x',
    url: 'http://boot.example/',
    script: 'y',
    outputs: ['iso'],
    address: '',
    gateway: '',
    vlan: '',
    serial: false,
  } as const
  expect(recipeOf({ ...wish, outputs: ['iso'] })).toEqual({ url: 'http://boot.example/', outputs: ['iso'] })
  expect(recipeOf({ ...wish, outputs: ['iso'], address: '10.0.0.7/24', vlan: '12', serial: true })).toMatchObject({
    network: { address: '10.0.0.7/24' },
    vlan: 12,
    console: { serial: {} },
  })
})

test('a form takes over what somebody else changed, unless both changed the same field', () => {
  const base = { name: 'a', lans: [1] }
  expect(rebased(base, { name: 'b', lans: [1] }, { name: 'a', lans: [2] })).toEqual({ name: 'b', lans: [2] })
  expect(rebased(base, { name: 'b', lans: [1] }, { name: 'c', lans: [1] })).toBeUndefined()
  expect(rebased(base, { name: 'b', lans: [1] }, { name: 'b', lans: [1] })).toEqual({ name: 'b', lans: [1] })
})

test('what is old is read once for many facts, not twice at a time, and rests after a long look', async () => {
  vi.useFakeTimers()
  const reads: string[] = []
  const pacer = createPacer(async (key) => {
    reads.push(key.join('/'))
    await new Promise((resolve) => setTimeout(resolve, 100))
  })
  for (let fact = 0; fact < 500; fact++) pacer.add(['hosts'])
  pacer.add(['sites'])
  await vi.advanceTimersByTimeAsync(300)
  expect(reads).toEqual(['hosts', 'sites'])
  pacer.add(['hosts'])
  await vi.advanceTimersByTimeAsync(2_000) // 100 ms of reading, 2 s of rest
  expect(reads).toEqual(['hosts', 'sites'])
  await vi.advanceTimersByTimeAsync(600)
  expect(reads).toEqual(['hosts', 'sites', 'hosts'])
  pacer.close()
  vi.useRealTimers()
})

test.each([
  ['a boot that phoned home is over', 'phone-home', undefined, 0, 'over'],
  ['a boot from the own disk is over', 'script', 'local-disk', 0, 'over'],
  ['a boot that goes on is live', 'kernel', undefined, 60_000, 'live'],
  ['a boot that said nothing for long is silent', 'kernel', undefined, 16 * 60_000, 'silent'],
] as const)('%s', (_, stage, detail, since, state) => {
  expect(bootState({ stages: [{ stage, at: NOW, detail }], endedAt: NOW }, NOW + since)).toBe(state)
})
