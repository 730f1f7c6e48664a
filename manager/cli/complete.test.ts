import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProgram } from './cli.ts'
import { candidates } from './complete.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

const silent = { write() {} }
const world = {
  ...{ env: {}, stdin: (async function* () {})(), stdout: silent, stderr: silent, clock: systemClock, ask: undefined },
  interrupt: () => new AbortController().signal,
}
const program = createProgram(world)

for (const { typed, words = [], names } of [
  { typed: ['si'], words: ['site'] },
  { typed: ['host', 'a'], words: ['approve'] },
  { typed: ['host', 'ls', '--st'], words: ['--status'] },
  { typed: ['host', 'ls', '--site', ''], names: 'site' },
  { typed: ['host', 'ls', '--status', ''], words: ['discovered', 'approved', 'installing', 'installed', 'ready', 'failed', 'retired'] },
  { typed: ['host', 'install', '--profile', 'x', ''], names: 'host' },
  { typed: ['host', 'approve', 'a', 'b', ''], names: 'host' },
  { typed: ['host', 'show', 'a', ''] },
  { typed: ['site', 'add', 'x', '--mode=serve', '--mod'], words: ['--mode'] },
  { typed: ['completion', 'z'], words: ['zsh'] },
  { typed: ['run', 'role=db', '--', 'ho'] },
  { typed: ['nonsense', ''], words: program.commands.filter((one) => !one.name().startsWith('_')).map((one) => one.name()) },
] as { typed: string[]; words?: string[]; names?: string }[])
  test(`"bridgehead ${typed.join(' ')}" may go on with ${names ?? (words.slice(0, 3).join(', ') || 'nothing of ours')}`, () => {
    const found = candidates(program, typed)
    expect([found.words.map(({ word }) => word), found.names]).toEqual([words, names])
  })

let rig: CliRig
beforeAll(async () => {
  rig = await startCliRig()
  for (const name of ['berlin', 'boston', 'paris']) await rig.cli(['site', 'add', name])
})
afterAll(() => rig.close())

test('names come from the manager; without one there are none, and no error', async () => {
  expect((await rig.cli(['__complete', '--', 'site', 'show', 'b'])).stdout).toBe('berlin\tsite\nboston\tsite\n')
  const env = { BRIDGEHEAD_URL: 'http://127.0.0.1:2', BRIDGEHEAD_KEY: 'x' }
  expect(await rig.cli(['__complete', '--', 'site', 'show', ''], { env })).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await rig.cli(['__complete', '--', 'site', 'show', ''], { env: {} })).toEqual({ code: 0, stdout: '', stderr: '' })
})

test.each(['bash', 'zsh', 'fish'])('%s has a script', async (shell) => {
  expect((await rig.cli(['completion', shell])).stdout).toContain('bridgehead __complete -- ')
})
