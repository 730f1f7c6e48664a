import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createSerialLog } from './serial.ts'

const directory = mkdtempSync(join(tmpdir(), 'bridgehead-serial-'))
afterAll(() => rmSync(directory, { recursive: true }))

let now = 1000
const serial = createSerialLog({ file: join(directory, 'serial.log'), now: () => now })

test('lines come whole, without terminal codes, each with the time of its end', () => {
  serial.feed(Buffer.from('\x1b[2J\x1b[1;1HSeaB'))
  now = 2000
  serial.feed(Buffer.from('IOS\r\nlogin: '))
  expect(serial.lines).toEqual([{ at: 2000, text: 'SeaBIOS' }])
})

test('an unfinished line is found too', () => {
  expect(serial.find(/login: $/)?.text).toBe('login: ')
  expect(serial.find(/SeaBIOS/, 1)).toBeUndefined()
})

test('the last lines leave out empty ones', () => {
  serial.feed(Buffer.from('\n\n\nKernel panic\n'))
  expect(serial.last(2)).toBe('login: \nKernel panic')
})
