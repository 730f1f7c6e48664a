import { expect, test } from 'vitest'
import { bootLines } from './boot-lines.ts'
import { explainLines } from './explain-lines.ts'
import type { Explained, Timeline } from './shapes.ts'

const host = { name: 'n1', siteName: 'berlin', status: 'installing' as const }
const AT = 1_795_000_000_000
const stage = (name: string, ms: number, more = {}) => ({ stage: name, at: AT + ms, sinceMs: ms, ...more })
const boot = (...stages: ReturnType<typeof stage>[]): Timeline['boots'][number] => ({
  boot: 'b',
  startedAt: AT,
  endedAt: stages.at(-1)?.at ?? AT,
  stages,
})
const view = { now: AT + 10_000, width: 80, limit: 1, why: false }

test('a machine that never booted says what to do', () => {
  expect(bootLines(host, { boots: [] }, view)).toEqual([
    'berlin/n1 has not booted from the network yet',
    '  → switch it on, with the network first',
  ])
})

test('a boot under way grows, and says where it is', () => {
  const boots = [boot(stage('discover', 0), stage('ack', 100), stage('kernel', 2_000, { bytes: 2 ** 20, ms: 1_000 }))]
  expect(bootLines(host, { boots }, view)).toEqual([
    'berlin/n1: boots since 10.0 s, now at "kernel"',
    '',
    '  this boot',
    '  discover          0.0 s █                                0.1 s',
    '  ack               0.1 s █···                             0.9 s',
    '  kernel            1.0 s    ████························· 9.0 s  1.0 MiB  1.0 MiB/s',
  ])
})

test.each([
  { what: 'silent', status: 'installing', stages: [stage('kernel', 0)], says: 'silent since "kernel" 6 minutes ago; look at its screen' },
  {
    what: 'failed',
    status: 'failed',
    stages: [stage('ack', 0), stage('failed', 500, { detail: 'no disk' })],
    says: 'after 0.5 s: no disk',
  },
  { what: 'over', status: 'ready', stages: [stage('ack', 0), stage('phone-home', 60_000)], says: '2 steps in 60.0 s, last "phone-home"' },
] as const)('a boot that is $what', ({ status, stages, says }) => {
  const [first] = bootLines({ ...host, status }, { boots: [boot(...stages)] }, { ...view, now: AT + 360_000 })
  expect(first).toContain(says)
})

test('with --why each decision is there, and earlier boots are counted', () => {
  const boots = [boot(stage('script', 0, { reasons: ['intent "install" \x1b[2J'] })), boot(stage('ack', 0))]
  const lines = bootLines(host, { boots }, { ...view, why: true })
  expect(lines).toContain('    script: intent "install" \ufffd[2J')
  expect(lines.at(-1)).toBe('  → 1 earlier boot: --boots 2')
})

const explained: Explained = {
  revision: 5,
  appliedRevision: 4,
  mac: '52:54:00:00:00:01',
  platform: 'bios-x86',
  firmware: { step: { kind: 'loader', name: 'undionly.kpxe' }, reasons: ['bios-x86 firmware gets loader undionly.kpxe'] },
  script: { goal: { kind: 'install', profile: { name: 'debian' } }, reasons: ['intent "install"'], text: '#!ipxe\nboot\n' },
}

test('an explanation is sentences', () => {
  expect(explainLines(host, explained)).toEqual([
    'berlin/n1 would be installed as "debian"',
    '',
    '  to its firmware (bios-x86, 52:54:00:00:00:01): the loader undionly.kpxe',
    '    because bios-x86 firmware gets loader undionly.kpxe',
    '  to iPXE: a script of 2 lines',
    '    because intent "install"',
    '  ! this is by revision 5; the site still answers by revision 4',
  ])
})
