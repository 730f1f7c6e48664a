import { createScreen } from '@bridgehead/shared/text/screen.ts'
import { expect, test } from 'vitest'
import { type DemoResult, jsonReport, textReport } from './report.ts'
import { createStory } from './story.ts'

const result: DemoResult = { firmware: 'bios', powerOnToSshMs: 61_500, totalMs: 80_000, ssh: { exitCode: 0, stdout: 'hello\n' } }
const place = { url: 'http://127.0.0.1:4000', credentials: '/tmp/x/credentials.json', directory: '/tmp/x', pid: 7 }

function page({ isTTY = false } = {}) {
  let text = ''
  let now = 1000
  const out = { isTTY, columns: 100, write: (part: string) => (text += part) }
  return { deps: { out, now: () => (now += 500) }, text: () => text, lines: () => text.trim().split('\n') }
}

test('as JSON every line is an object, and the last one is demo.done', async () => {
  const { deps, lines } = page()
  const report = jsonReport(deps)
  await report.step('image', async (progress) => progress('building', 0.5))
  report.done(result, place)
  const objects = lines().map((line) => JSON.parse(line) as { event: string })
  expect(objects.map((one) => one.event)).toEqual(['demo.progress', 'demo.step', 'demo.running', 'demo.done'])
  expect(objects.at(-1)).toEqual({ event: 'demo.done', state: 'ready', ...result })
})

test('without a terminal each line is written once, the boot as bars at the end', async () => {
  const { deps, text } = page()
  const report = textReport(deps)
  await report.step(
    'image',
    async (progress) => progress('building', 0.5),
    () => 'made',
  )
  const story = createStory({ mac: '52:54:00:00:00:01', since: 1000 })
  for (const [kind, data] of [
    ['host.discovered', { facts: { macs: ['52:54:00:00:00:01'] } }],
    ['boot.stage', { boot: 'b', stage: 'ack' }],
  ] as const) {
    const told = story.take({ seq: 1, site: 's', id: kind, at: 2000, kind, host: 'h', data })
    if (told) report.told(told, story)
  }
  report.done(result, undefined)
  expect(text()).not.toContain('\x1b')
  expect(text()).toContain('… image              ▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░ 50 %  building')
  expect(text()).toMatch(/✓ image {14}made {3}\d+\.\d s\n/)
  expect(text()).toMatch(/boot 1 of the machine\n {2}ack +0\.0 s █/)
  expect(text()).toContain('  | hello\n')
  expect(text()).toContain('ready: bios, power-on to SSH 61.5 s, in all 80.0 s')
})

test('a failure says why and where the logs are', () => {
  const { deps, text } = page()
  textReport(deps).failed('nothing came', '/tmp/logs')
  expect(text()).toContain('FAILED: nothing came\nlogs of all parts: /tmp/logs\n')
})

test('a step that fails is marked and passes its error on', async () => {
  const { deps, text } = page()
  await expect(textReport(deps).step('image', () => Promise.reject(new Error('no archive')))).rejects.toThrow('no archive')
  expect(text()).toContain('✗ image')
})

test('on a terminal the changing lines are rubbed out before a line that stays, and cut to its width', () => {
  let text = ''
  const screen = createScreen({ isTTY: true, columns: 10, write: (part: string) => (text += part) })
  screen.show(['a line that is too long', 'b'])
  screen.say('stays')
  expect(text).toBe('a line t…\nb\n\x1b[2A\r\x1b[Jstays\na line t…\nb\n')
})
