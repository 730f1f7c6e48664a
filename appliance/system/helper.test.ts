import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONFIG_BYTES, createHelper, padConfig } from './helper.ts'

const directory = mkdtempSync(join(tmpdir(), 'bh-helper-'))
const config = join(directory, 'bridgehead.json')
const SLOTS = { A: { device: '/dev/a', bytes: 1 }, B: { device: '/dev/b', bytes: 1 } }
const helper = createHelper({ boot: { slots: SLOTS, config }, clock: systemClock, directory })
let program: ChildProcess

/** Writes down what it is asked, and refuses slot A. */
const PROGRAM = `exec 3<>request; echo ready
while read -r id verb arg <&3; do
  echo "$verb $arg" >>asked
  case "$verb $arg" in 'slot A') word='slot A is the running one' ;; *) word=ok ;; esac
  echo "$word" >reply/.new && mv reply/.new "reply/$id"
done`

beforeAll(async () => {
  mkdirSync(join(directory, 'reply'))
  execFileSync('mkfifo', [join(directory, 'request')])
})
afterAll(() => {
  program.kill('SIGKILL')
  rmSync(directory, { recursive: true })
})

test('a helper that is away is told of, not waited for', async () => {
  await expect(helper.setTime(0)).rejects.toMatchObject({ code: 'helper_away', message: expect.stringContaining('does not listen') })
  program = spawn('sh', ['-c', PROGRAM], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => program.stdout?.once('data', resolve))
})

test('requests go one after another, with their bytes beside them', async () => {
  writeFileSync(config, '{}')
  const env = Buffer.alloc(1024, '#')
  const [, , device] = await Promise.all([
    helper.setTime(1_700_000_000_499),
    helper.setEnv(env),
    helper.openSlot('B'),
    helper.setConfig('{"a":1}\n\n'),
  ])
  expect(device).toBe('/dev/b')
  expect(readFileSync(join(directory, 'asked'), 'utf8')).toBe('time 1700000000\nenv \nslot B\nconfig \n')
  expect(readFileSync(join(directory, 'env'))).toEqual(env)
  expect(readFileSync(join(directory, 'config'), 'utf8')).toBe('{"a":1}\n')
})

test('a refusal comes with its reason, and the next request goes its own way', async () => {
  await expect(helper.openSlot('A')).rejects.toMatchObject({ code: 'helper_refused', message: 'slot: slot A is the running one' })
  await helper.closeSlot()
  await expect(helper.setEnv(Buffer.alloc(5))).rejects.toThrow(/has 1024 bytes, not 5/)
})

for (const row of [
  { file: 'as flashed', text: '{"ä":1}\n', now: CONFIG_BYTES, bytes: CONFIG_BYTES },
  { file: 'that an editor made shorter', text: '{"a":1}', now: 500, bytes: 8 },
  { file: 'whose new text is too long for its place', text: `{"a":"${'x'.repeat(5000)}"}`, now: CONFIG_BYTES, bytes: 5009 },
])
  test(`a file ${row.file} gets ${row.bytes} bytes`, () => {
    const padded = padConfig(row.text, row.now)
    expect(Buffer.byteLength(padded)).toBe(row.bytes)
    expect(padded.endsWith('\n')).toBe(true)
    expect(JSON.parse(padded)).toEqual(JSON.parse(row.text))
  })
