import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { createConsole } from './console.ts'
import { qrLines } from './qr.ts'
import { renderScreen, type Screen } from './render.ts'

const SCREEN: Screen = {
  version: '0.1.0',
  board: 'x86_64',
  slot: 'A',
  name: 'nuremberg',
  manager: 'https://manager.example:8443',
  uplink: 'connected',
  interfaces: [
    { name: 'eth0', addresses: ['10.0.0.5/24'], role: 'uplink', carrier: true },
    { name: 'eth1', addresses: [], role: '', carrier: false },
  ],
  lans: [{ name: 'main', address: '192.168.7.1', mode: 'serve' }],
  page: { urls: ['https://10.0.0.5:8443'], credential: 'abcd-efgh-jkmn', fingerprint: '0123456789abcdef'.repeat(4) },
  troubles: [],
  doing: [],
}

test('a site in good order', () => {
  expect(renderScreen(SCREEN).join('\n')).toBe(`Bridgehead 0.1.0, x86_64, slot A

Site        nuremberg
Manager     https://manager.example:8443
Uplink      connected
eth0        10.0.0.5/24 (uplink)
eth1        no cable
LAN main    192.168.7.1, serve

Local page  https://10.0.0.5:8443
Password    abcd-efgh-jkmn
Its key     01234567 89abcdef 01234567 89abcdef 01234567 89abcdef 01234567
            89abcdef`)
})

test('a code to type stands beside its picture, on a screen of 80 by 25', () => {
  const url = 'https://manager.example:8443/claim/ABCDEFGH'
  const lines = renderScreen({ ...SCREEN, name: undefined, lans: [], claim: { code: 'ABCDEFGH', url } }, qrLines(url))
  expect(lines.join('\n')).toContain('Code        ABCD-EFGH')
  expect(lines.length).toBeLessThanOrEqual(25)
  expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(80)
  expect(lines[0]).toMatch(/^Bridgehead 0\.1\.0, x86_64, slot A +█{10,}$/)
})

test('troubles come first; what others named cannot move the cursor', () => {
  const lines = renderScreen({
    ...SCREEN,
    name: '\x1b[2Jevil\nname',
    troubles: ['bridgehead.json: line 3, uplink.address: expected an address'],
  })
  expect(lines[2]).toBe('!! bridgehead.json: line 3, uplink.address: expected an address')
  expect(lines.join('\n')).toContain('?[2Jevil?name')
})

test('long words are broken', () => {
  const lines = renderScreen({ ...SCREEN, uplink: 'x'.repeat(300) })
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
})

test('a line gets the screen once a change, a screen also in between', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bh-console-'))
  const screens = [join(directory, 'tty1'), join(directory, 'ttyS0')]
  for (const path of screens) writeFileSync(path, '')
  const clock = steppedClock(1_000_000)
  let uplink = 'down'
  const console = createConsole({
    devices: [...screens, join(directory, 'gone', 'tty2')],
    screen: () => ({ ...SCREEN, uplink }),
    clock,
    log: silentLog,
  })
  /** What was written since, once each of `told` got something. */
  const take = async (told: readonly string[] = []) => {
    await expect.poll(() => told.every((path) => readFileSync(path, 'utf8') !== '')).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const texts = screens.map((path) => readFileSync(path, 'utf8'))
    for (const path of screens) writeFileSync(path, '')
    return texts
  }
  await console.start()
  const [first, line] = await take(screens)
  expect(first).toMatch(/^\x1b\[HBridgehead/)
  expect(line).toMatch(/^\nBridgehead[^\x1b]+$/)
  clock.advance(2_000)
  expect(await take()).toEqual(['', ''])
  clock.advance(6_000)
  await take()
  clock.advance(2_000)
  const [again, quiet] = await take(screens.slice(0, 1))
  expect(again).not.toBe('')
  expect(quiet).toBe('')
  uplink = 'connected'
  clock.advance(2_000)
  expect((await take(screens)).every((text) => text.includes('connected'))).toBe(true)
  await console.stop()
  rmSync(directory, { recursive: true })
})
