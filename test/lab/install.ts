import type { Api } from './api.ts'
import { followUntil } from './follow.ts'
import type { Machine } from './qemu.ts'
import { silence } from './view/silence.ts'
import { createStory, type Story, type Told } from './view/story.ts'

/** A machine that says nothing for this long has failed; the installed system's first boot is the longest silence. */
const QUIET_MS = 240_000
const LIMIT_MS = 900_000

/**
 * Follows the machine's facts until it is `ready`. Throws when it fails or goes silent, with what was last seen, what should have followed
 * and the end of its serial port.
 */
export async function followInstall(
  api: Api,
  machine: Machine,
  { since, onTold = () => undefined }: { since: number; onTold?: (told: Told, story: Story) => void },
): Promise<Story> {
  const story = createStory({ mac: machine.mac, since })
  const serial = () => `\nThe serial port's last lines (${machine.serial.file}):\n${machine.serial.last(10)}`
  await followUntil(
    api,
    (event) => {
      const told = story.take(event)
      if (told) onTold(told, story)
      if (event.kind === 'intent.failed' && event.host === story.host) throw new Error(`${told?.text ?? 'the install failed'}${serial()}`)
      return story.status === 'ready' && lastStage(story) === 'phone-home' // the stage comes right after the status
    },
    { ms: LIMIT_MS, quietMs: QUIET_MS, why: (seconds) => silence(lastStage(story), seconds) + serial() },
  )
  return story
}

/** The stage that the machine reached last. */
export function lastStage(story: Story): string {
  return story.boots.at(-1)?.stages.at(-1)?.stage ?? 'power on'
}
