import { siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import { expect, test } from 'vitest'
import { retryDelayMs } from './connection.ts'
import { BLOCK_MS, planReads, type StreamProgress } from './plan-reads.ts'
import { configText, filesIn, findProgram } from './server-process.ts'
import { siteUserRules } from './site-user.ts'
import { parseStreams } from './stream-reply.ts'

const stream = (site: string, phase: StreamProgress['phase'], notBefore = 0): StreamProgress => ({ site, phase, failures: 0, notBefore })

test.each([
  { text: 'nothing to read waits', streams: [], plan: { create: [], pending: [], live: [], blockMs: BLOCK_MS } },
  {
    text: 'a new stream gets its group, then its backlog',
    streams: [stream('a', 'new')],
    plan: { create: ['a'], pending: ['a'], live: [], blockMs: BLOCK_MS },
  },
  {
    text: 'a stream that rests is left out, and the wait ends when its time has come',
    streams: [stream('a', 'pending', 1_700), stream('b', 'live')],
    plan: { create: [], pending: [], live: ['b'], blockMs: 700 },
  },
  {
    text: 'a stream whose time has come is read',
    streams: [stream('a', 'pending', 1_000), stream('b', 'live', 99_000)],
    plan: { create: [], pending: ['a'], live: [], blockMs: BLOCK_MS },
  },
])('$text', ({ streams, plan }) => {
  expect(planReads(streams, 1_000)).toEqual(plan)
})

test('a reply is read, trimmed and foreign entries too', () => {
  expect(parseStreams(null)).toEqual([])
  expect(
    parseStreams([
      [
        'k',
        [
          ['1-0', ['x', 'y', 'event', '{}']],
          ['2-0', null],
          ['3-0', ['other', 'event']],
          ['4-0', []],
        ],
      ],
    ]),
  ).toEqual([{ key: 'k', entries: [{ streamId: '1-0', event: '{}' }, { streamId: '2-0' }, { streamId: '3-0' }, { streamId: '4-0' }] }])
  expect(() => parseStreams({ k: [] })).toThrow()
})

test('a site user is one rule a key', () => {
  const keys = siteKeys('s1')
  const rules = siteUserRules('s1', 'a'.repeat(64), { clientSetInfo: true })
  expect(rules.slice(0, 4)).toEqual(['site-s1', 'reset', 'on', `#${'a'.repeat(64)}`])
  expect(rules).toContain('+client|setinfo')
  expect(siteUserRules('s1', 'a'.repeat(64), { clientSetInfo: false })).not.toContain('+client|setinfo')
  for (const key of [keys.state, keys.commands, keys.events, keys.presence])
    expect(
      rules.filter((rule) => rule.endsWith(`~${key})`)),
      key,
    ).toHaveLength(1)
  expect(rules.filter((rule) => rule.startsWith('&'))).toEqual([`&${keys.nudge}`])
})

test.each([
  { there: ['/usr/bin/redis-server', '/usr/bin/redis-check-rdb'], is: { file: '/usr/bin/redis-server', argv0: 'redis-server' } },
  { there: ['/opt/valkey-server', '/usr/bin/redis-check-rdb'], is: { file: '/opt/valkey-server', argv0: 'valkey-server' } },
  { there: ['/usr/bin/redis-check-rdb'], is: { file: '/usr/bin/redis-check-rdb', argv0: 'redis-server' } },
  { there: ['/usr/bin/valkey-check-rdb'], is: { file: '/usr/bin/valkey-check-rdb', argv0: 'valkey-server' } },
  { there: [], is: undefined },
])('with $there it runs $is.argv0', ({ there, is }) => {
  expect(findProgram('/opt:', (file) => there.some((one) => one === file))).toEqual(is)
})

test('the configuration holds no password, and lets nobody in but the admin', () => {
  const text = configText({
    directory: '/da ta',
    files: filesIn('/da ta'),
    port: 6390,
    bind: ['127.0.0.1', 'fd00::1'],
    password: 'hunter2',
    owner: 42,
  })
  expect(text).not.toContain('hunter2')
  expect(text).toContain('user default off resetpass')
  expect(text).toContain('bind 127.0.0.1 fd00::1\n')
  expect(text).toContain('unixsocket "/da ta/redis.sock"\nunixsocketperm 600')
  expect(text.startsWith('# owner 42\n')).toBe(true)
})

test.each([
  { times: 1, random: 0, ms: 20 },
  { times: 1, random: 1, ms: 120 },
  { times: 99, random: 1, ms: 2_020 },
])('reconnection $times waits $ms ms', ({ times, random, ms }) => {
  expect(retryDelayMs(times, () => random)).toBe(ms)
})
