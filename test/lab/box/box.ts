import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Accelerator } from '../accelerator.ts'
import { ipIn, type LabNode } from '../node.ts'
import type { Running } from '../processes.ts'
import { connectQmp, type Qmp } from '../qmp.ts'
import { createSerialLog, type SerialLog } from '../serial.ts'
import { waitFor } from '../wait.ts'
import { type Board, boxCommand, firmwareVariables, lateCard, TCG } from './boards.ts'
import { bootFile, putBootFile } from './disk.ts'
import { createShell, type Shell } from './shell.ts'

/** A network card of a box: a tap on a bridge of the namespace that the machine runs in. */
export interface Nic {
  mac: string
  bridge: string
}

export interface BoxOptions {
  name: string
  board: Board
  card: string
  nics: readonly Nic[]
  /** The namespace that has the bridges. */
  node: LabNode
  /** A directory of its own is made here. */
  directory: string
  /** A file that gets all its writes on the card; begun anew at each power-on. */
  writeLog?: string | undefined
  internal?: string | undefined
  memoryMiB?: number | undefined
  accelerator?: Accelerator | undefined
}

/** A machine that boots the appliance's image. */
export interface Box {
  readonly name: string
  readonly board: Board
  /** Whatever is in the slot; changing it takes a machine that is off. */
  readonly card: string
  readonly serial: SerialLog
  readonly shell: Shell
  readonly on: boolean
  /** Epoch ms of QEMU's events so far. */
  readonly events: readonly { event: string; at: number }[]
  /** Resolves with the epoch ms of power-on. */
  powerOn(): Promise<number>
  /** kill -9: what the guest wrote is on the card, what it still held in memory is not. */
  cutPower(): Promise<void>
  reset(): Promise<void>
  /** Pulls or plugs the cable of a network card. */
  cable(nic: number, plugged: boolean): Promise<void>
  /** Pulls the stick out of a machine that runs. */
  pullStick(): Promise<void>
  /** What the screen shows, as a PNG file. */
  screen(file: string): Promise<void>
  /** Waits for a line on the console, from the line `from` on (default: from now). Throws WaitError with what was last seen. */
  waitForLine(pattern: RegExp, ms: number, from?: number): Promise<string>
}

const LATE_CARD_MS = 240_000

/** Lays its taps; starts nothing. */
export async function createBox(options: BoxOptions): Promise<Box> {
  const { name, board, card, node } = options
  const directory = join(options.directory, name)
  await mkdir(directory, { recursive: true })
  const variables = firmwareVariables(board)
  if (variables !== undefined) await copyFile(variables, join(directory, 'vars.fd'))
  const nics = options.nics.map(({ mac, bridge }) => ({ mac, bridge, tap: `b${mac.replaceAll(':', '').slice(-8)}` }))
  await ipIn(
    node.namespace,
    nics.flatMap(({ tap, bridge }) => [`tuntap add ${tap} mode tap`, `link set ${tap} master ${bridge} up`]),
  )
  const pi = board === 'raspi3b' ? await piFiles(card, directory) : undefined
  const { writeLog, internal, memoryMiB, accelerator = TCG } = options
  const argv = boxCommand({ board, disk: card, writeLog, internal, nics, directory, memoryMiB, accelerator, pi })
  const serial = createSerialLog({ file: join(directory, 'console.log'), now: Date.now })
  const events: { event: string; at: number }[] = []
  let running: Running | undefined
  let qmp: Qmp | undefined
  const order = async (command: string, args: Record<string, unknown> = {}) => {
    if (!qmp) throw new Error(`${name} is off`)
    await qmp.execute(command, args)
  }
  const late = lateCard({ board, nics })
  /** Fails loudly, as nobody's promise, unless the machine was switched off before. */
  const plugIn = async (device: Record<string, string>, from: number) => {
    try {
      await waitFor(`the screen of ${name}`, () => serial.find(/^Bridgehead .*, slot [AB]/, from), { ms: LATE_CARD_MS })
      await order('device_add', device)
    } catch (error) {
      if (running?.alive) throw error
    }
  }
  return {
    name,
    board,
    card,
    serial,
    events,
    shell: createShell(join(directory, 'shell.sock')),
    get on() {
      return running?.alive ?? false
    },
    async powerOn() {
      const log = join(directory, 'qemu.log')
      const socket = join(directory, 'qmp.sock')
      await rm(socket, { force: true }) // of the QEMU before, which had no time to remove it
      const at = Date.now()
      running = node.spawn(`qemu ${name}`, argv, { onOutput: (chunk) => serial.feed(chunk), errorFile: log })
      const early = running.gone.then((how) => {
        throw new Error(`QEMU ended at once (${how}); see ${log}`)
      })
      qmp = await Promise.race([connectQmp(socket, (event) => void events.push({ event, at: Date.now() })), early])
      early.catch(() => undefined) // later ends are seen by `on`
      if (late) void plugIn(late, serial.lines.length)
      return at
    },
    async cutPower() {
      qmp?.close()
      running?.kill('SIGKILL')
      await running?.gone
    },
    reset: () => order('system_reset'),
    cable: (nic, plugged) => order('set_link', { name: `net${nic}`, up: plugged }),
    pullStick: () => order('device_del', { id: 'stick' }),
    screen: (file) => order('screendump', { filename: file, format: 'png' }),
    async waitForLine(pattern, ms, from = serial.lines.length) {
      const found = await waitFor(`${pattern} on the console of ${name}`, () => serial.find(pattern, from), {
        ms,
        details: () => `last seen there:\n${serial.last(25)}`,
      })
      return found.text
    },
  }
}

/**
 * What the Pi's own firmware would load, which QEMU does not run. One change to the card: QEMU's model of the Pi's watchdog resets the machine in
 * the moment in which somebody starts it, instead of when its time is over, so the kernel is told to leave it alone.
 */
async function piFiles(card: string, directory: string): Promise<{ uBoot: string; deviceTree: string }> {
  const files = { uBoot: join(directory, 'u-boot.bin'), deviceTree: join(directory, 'bcm2837-rpi-3-b.dtb') }
  await writeFile(files.uBoot, await bootFile(card, 'u-boot-rpi-arm64.bin'))
  await writeFile(files.deviceTree, await bootFile(card, 'bcm2837-rpi-3-b.dtb'))
  const grub = (await bootFile(card, 'grub/grub.cfg')).toString()
  await putBootFile(card, 'grub/grub.cfg', grub.replace(' gpt quiet ', ' gpt quiet module_blacklist=bcm2835_wdt '))
  return files
}
