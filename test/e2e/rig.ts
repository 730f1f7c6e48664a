import { createLog } from '@bridgehead/shared/log.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { type Accelerator, accelerator } from '../lab/accelerator.ts'
import { type Images, preparedImage } from '../lab/images.ts'
import { followInstall } from '../lab/install.ts'
import { saveLogs } from '../lab/logs.ts'
import { plugIn } from '../lab/machines.ts'
import { privilege } from '../lab/privilege.ts'
import type { Firmware, Machine } from '../lab/qemu.ts'
import { createStack, type Stack, StackError, type StackOptions, type StackSite } from '../lab/stack.ts'
import type { Story } from '../lab/view/story.ts'

/** What every test that boots machines needs; made once a test file. */
export interface Rig {
  images: Images
  speed: Accelerator
}

const log = createLog({ name: 'lab', level: 'warn' })

export async function createRig(): Promise<Rig> {
  await needRight()
  let last = ''
  const images = await preparedImage({
    progress: (text) => {
      if (text !== last) say(`host image: ${text}`)
      last = text
    },
  })
  const speed = await accelerator({ kernel: images.kernelFile })
  say(`${images.words}; ${speed.kind.toUpperCase()}: ${speed.why}`)
  return { images, speed }
}

/** Throws, with what is missing, where this process may not make namespaces. */
export async function needRight(): Promise<void> {
  const way = await privilege()
  if (way.kind === 'again')
    throw new Error(`run the tests in a user namespace of their own: ${way.argv.slice(0, 4).join(' ')} ..., or as root`)
}

/** Runs `task` on a fresh stack that is gone afterwards; the logs of a failed one are kept, and the error says where. */
export async function withStack(options: Omit<StackOptions, 'log'>, task: (stack: Stack) => Promise<void>): Promise<void> {
  const began = Date.now()
  const stack = await createStack({ ...options, log })
  say(`manager and ${options.sites === 1 ? 'site' : 'sites'}: ${formatMs(Date.now() - began)}`)
  try {
    await task(stack)
  } catch (error) {
    const logs = saveLogs(stack.lab.directory)
    throw new StackError(error instanceof Error ? new Error(`${error.message}\nlogs: ${logs}`, { cause: error }) : error, logs)
  } finally {
    await stack.close()
  }
}

export function onlySite(stack: Stack): StackSite {
  const [site] = stack.sites
  if (!site) throw new Error('the stack has no site')
  return site
}

/** Powers a new machine on and follows it until it is ready. */
export async function installMachine(
  stack: Stack,
  rig: Rig,
  firmware: Firmware,
): Promise<{ machine: Machine; story: Story; host: string }> {
  const machine = await plugIn(stack, onlySite(stack), { firmware, accelerator: rig.speed })
  const since = await machine.powerOn()
  const story = await followInstall(stack.api, machine, { since })
  say(`${firmware}: power-on to ready ${formatMs(Date.now() - since)}`)
  return { machine, story, host: story.host ?? '' }
}

export function say(line: string): void {
  process.stdout.write(`    ${line}\n`)
}
