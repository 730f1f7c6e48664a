import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, expect, test } from 'vitest'
import { createConfigFile } from './config-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'bh-config-file-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

function open(text: string | undefined, remembered?: string) {
  const path = join(directory, `${files++}.json`)
  if (text !== undefined) writeFileSync(path, text)
  const clock = steppedClock()
  let kept = remembered
  const memory = {
    load: () => kept,
    save: (line: string) => {
      kept = line
    },
  }
  const helper = { setConfig: async (next: string) => writeFileSync(path, next) }
  const one = createConfigFile({ path, helper, memory, clock, log: silentLog })
  let changes = 0
  one.onChange(() => changes++)
  const edit = (next: string) => {
    writeFileSync(path, next)
    clock.advance(2_000)
  }
  return { one, edit, kept: () => kept, changes: () => changes }
}

test('a good file is taken, and remembered without its token', () => {
  const { one, kept } = open('{"name":"shop","manager":"https://m.example","token":"0123456789abcdef"}')
  expect(one.current()).toMatchObject({ name: 'shop', token: '0123456789abcdef' })
  expect(JSON.parse(kept() ?? '')).toEqual({ name: 'shop', manager: 'https://m.example' })
})

for (const row of [
  { file: 'broken', text: '{"name":', says: 'no valid JSON' },
  { file: 'not there', text: undefined, says: 'cannot be read: ENOENT' },
])
  test(`where the file is ${row.file}, what was remembered holds`, () => {
    const { one } = open(row.text, '{"name":"shop","uplink":{"address":"10.0.0.7/24"}}')
    expect(one.current()).toEqual({ name: 'shop', uplink: { address: '10.0.0.7/24' } })
    expect(one.problems()[0]?.message).toContain(row.says)
  })

test('a mistake keeps the last good settings; its correction counts within two seconds', async () => {
  const { one, edit, changes } = open('{"name":"one"}')
  await one.start()
  edit('{"name":"two"')
  expect([one.current().name, one.problems().length, changes()]).toEqual(['one', 1, 1])
  edit('{"name":"two"')
  expect(changes()).toBe(1)
  edit('{"name":"two"}')
  expect([one.current().name, one.problems().length, changes()]).toEqual(['two', 0, 2])
  await one.stop()
})

test('what is written passes the same rules', async () => {
  const { one } = open('{}')
  await one.write({ name: 'shop' })
  expect(one.current()).toEqual({ name: 'shop' })
  await expect(one.write({ name: '' })).rejects.toThrow()
})
