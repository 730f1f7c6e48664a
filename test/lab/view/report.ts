import { formatMs, formatProgress } from '@bridgehead/shared/text/format.ts'
import { createScreen, type Screen } from '@bridgehead/shared/text/screen.ts'
import { bootRows, drawBoot } from '@bridgehead/shared/text/timeline.ts'
import type { Machine } from '../qemu.ts'
import { type Story, storyLine, type Told } from './story.ts'

/** `fraction` is 0..1 where it is known. */
export type Progress = (text: string, fraction?: number) => void

export interface DemoResult {
  firmware: string
  powerOnToSshMs: number
  totalMs: number
  ssh: { exitCode: number; stdout: string }
}

/** What is left running, and how to get at it. */
export interface Place {
  url: string
  /** File (mode 0600) with address, account and API key. */
  credentials: string
  directory: string
  pid: number
}

/** What the demo says, for people or for programs. */
export interface Report {
  /** Runs one step of the set-up under its name; `summary` puts its result into words. */
  step<T>(name: string, task: (progress: Progress) => Promise<T>, summary?: (result: T) => string): Promise<T>
  powerOn(machine: Machine, since: number): void
  told(told: Told, story: Story): void
  /** `place`: it stays until it is stopped. */
  done(result: DemoResult, place: Place | undefined): void
  failed(why: string, logs: string | undefined): void
}

/** One JSON object a line. */
export function jsonReport({ out, now }: { out: { write(text: string): unknown }; now: () => number }): Report {
  const say = (event: string, fields: Record<string, unknown>) => out.write(`${JSON.stringify({ event, ...fields })}\n`)
  return {
    async step(name, task, summary) {
      const began = now()
      const result = await task((text, fraction) => say('demo.progress', { step: name, text, fraction }))
      say('demo.step', { step: name, ms: now() - began, text: summary?.(result) })
      return result
    },
    powerOn: ({ name, firmware, mac, uuid, serial }, at) =>
      say('demo.power-on', { at, machine: name, firmware, mac, uuid, serialLog: serial.file }),
    told: ({ kind, fields }) => say(kind, fields),
    done(result, place) {
      if (place) say('demo.running', { ...place })
      say('demo.done', { state: 'ready', ...result })
    },
    failed: (why, logs) => say('demo.failed', { why, logs }),
  }
}

export function textReport({ out, now }: { out: Parameters<typeof createScreen>[0]; now: () => number }): Report {
  const screen = createScreen(out)
  let redraw: NodeJS.Timeout | undefined
  let seen: { story: Story; since: number } | undefined
  let zero = 0
  const stopDrawing = () => {
    clearInterval(redraw)
    if (seen) screen.show(boots(screen, seen.story, { now: now(), live: false }))
    screen.keep()
    if (seen && !screen.live) for (const line of boots(screen, seen.story, { now: now(), live: false })) screen.say(line)
    seen = undefined
  }
  return {
    step: (name, task, summary) => textStep(screen, now, name, task, summary),
    powerOn(machine, since) {
      zero = since
      screen.say('')
      screen.say(`power on: ${machine.name}, ${machine.firmware}, ${machine.mac}, an empty disk, network first`)
      redraw = setInterval(() => {
        if (seen) screen.show(boots(screen, seen.story, { now: now(), live: true }))
        else screen.show([storyLine('nothing heard yet', now() - since)])
      }, 250)
    },
    told({ text, fields }, story) {
      seen = { story, since: zero }
      if (text !== '') screen.say(storyLine(text, Number(fields.sincePowerOnMs)))
    },
    done({ firmware, powerOnToSshMs, totalMs, ssh }, place) {
      stopDrawing()
      screen.say('')
      screen.say(`a script on the new host, by SSH through the overlay (exit code ${ssh.exitCode}):`)
      for (const line of ssh.stdout.trimEnd().split('\n')) screen.say(`  | ${line}`)
      screen.say('')
      screen.say(`ready: ${firmware}, power-on to SSH ${formatMs(powerOnToSshMs)}, in all ${formatMs(totalMs)}`)
      if (!place) return
      screen.say('')
      screen.say(`console      ${place.url}`)
      screen.say(`API          ${place.url}/api/v1/reference`)
      screen.say(`credentials  ${place.credentials}`)
      screen.say(`data, logs   ${place.directory}`)
      screen.say(`stop         Ctrl-C, or kill ${place.pid}`)
    },
    failed(why, logs) {
      stopDrawing()
      screen.say('')
      screen.say(`FAILED: ${why}`)
      if (logs !== undefined) screen.say(`logs of all parts: ${logs}`)
    },
  }
}

async function textStep<T>(
  screen: Screen,
  now: () => number,
  name: string,
  task: (progress: Progress) => Promise<T>,
  summary?: (result: T) => string,
): Promise<T> {
  const began = now()
  let line = ''
  const show = () => screen.show([`  … ${name.padEnd(18)} ${line}   ${formatMs(now() - began)}`])
  const redraw = setInterval(show, 250)
  try {
    const result = await task((text, fraction) => {
      const next = fraction === undefined ? text : `${formatProgress(fraction, 20)} ${Math.floor(fraction * 100)} %  ${text}`
      if (!screen.live && next !== line) screen.say(`  … ${name.padEnd(18)} ${next}`)
      line = next
      show()
    })
    screen.show([])
    screen.say(`  ✓ ${name.padEnd(18)} ${summary?.(result) ?? line}   ${formatMs(now() - began)}`)
    return result
  } catch (error) {
    screen.show([])
    screen.say(`  ✗ ${name}   ${formatMs(now() - began)}`)
    throw error
  } finally {
    clearInterval(redraw)
  }
}

function boots(screen: Screen, story: Story, { now, live }: { now: number; live: boolean }): string[] {
  return story.boots.flatMap(({ stages }, index) => {
    const last = index === story.boots.length - 1
    const rows = bootRows(stages, { now, live: live && last && story.status !== 'ready' })
    return ['', `  boot ${index + 1} of ${story.name ?? 'the machine'}`, ...drawBoot(rows, { width: screen.width })]
  })
}
