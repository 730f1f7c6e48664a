import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { BootInfo, Slot } from './boot-info.ts'

/**
 * The few things that need root, done by a small program outside the daemon. Each call resolves once it is done and on disk, and rejects
 * with HelperError: `code` is `helper_refused` (it said no; the message says why) or `helper_away` (no answer in time).
 */
export interface Helper {
  /** Puts 1024 bytes in the place of GRUB's environment block; only sectors that differ are written. */
  setEnv(bytes: Uint8Array): Promise<void>
  /** Puts `text` in the place of `bridgehead.json`. A file of 4096 bytes keeps that size (and its clusters) when the text fits. */
  setConfig(text: string): Promise<void>
  /** Makes the slot that does not run writable; resolves with its device. */
  openSlot(slot: Slot): Promise<string>
  closeSlot(): Promise<void>
  /** Sets the clock, to the second. Epoch milliseconds. */
  setTime(ms: number): Promise<void>
  reboot(): Promise<void>
  poweroff(): Promise<void>
  /** Copies this system to another disk, such as `/dev/sda`; `/dev/sda:erase` overwrites one that holds partitions. Minutes. */
  install(disk: string): Promise<void>
}

export class HelperError extends Error {
  readonly code: 'helper_refused' | 'helper_away'
  constructor(code: HelperError['code'], message: string, options?: { cause: unknown }) {
    super(message, options)
    this.code = code
  }
}

export const HELPER_DIRECTORY = '/run/bridgehead/helper'
export const CONFIG_BYTES = 4096
const ENV_BYTES = 1024
const POLL_MS = 50
const ANSWER_MS = 30_000
const INSTALL_MS = 1_800_000

/**
 * Speaks to the helper by files in `directory`. A request is one line `ID VERB [ARG]` into the FIFO `request`; the answer is the file
 * `reply/ID` with one line, `ok` or what is wrong. Bytes travel beside it, in the files `env` and `config`: so one request at a time.
 */
export function createHelper({
  boot,
  clock,
  directory = HELPER_DIRECTORY,
}: {
  boot: Pick<BootInfo, 'slots' | 'config'>
  clock: Clock
  directory?: string
}): Helper {
  const session = randomBytes(6).toString('hex') // replies to a daemon that died must not answer this one
  let requests = 0
  let last: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task)
    last = result.catch(() => undefined) // the caller has it; the next request goes its own way
    return result
  }
  const ask = async (line: string, limitMs = ANSWER_MS): Promise<void> => {
    const id = `${session}-${++requests}`
    const reply = join(directory, 'reply', id)
    const until = performance.now() + limitMs // not the wall clock, which `time` moves
    await send(join(directory, 'request'), `${id} ${line}\n`)
    while (performance.now() < until) {
      const answer = await readReply(reply)
      if (answer !== undefined) {
        await rm(reply, { force: true })
        if (answer === 'ok') return
        throw new HelperError('helper_refused', `${line.split(' ')[0]}: ${answer}`)
      }
      await clock.sleep(POLL_MS)
    }
    throw new HelperError('helper_away', `the helper did not answer "${line}" within ${limitMs / 1000} s`)
  }
  const send = async (fifo: string, line: string): Promise<void> => {
    try {
      const pipe = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK) // ENXIO without a reader, instead of waiting for one
      try {
        await pipe.write(line)
      } finally {
        await pipe.close()
      }
    } catch (cause) {
      throw new HelperError('helper_away', `the helper does not listen at ${fifo}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      })
    }
  }

  return {
    setEnv: (bytes) =>
      inTurn(async () => {
        if (bytes.length !== ENV_BYTES) throw new RangeError(`GRUB's environment block has ${ENV_BYTES} bytes, not ${bytes.length}`)
        await writeFile(join(directory, 'env'), bytes)
        await ask('env')
      }),
    setConfig: (text) =>
      inTurn(async () => {
        await writeFile(join(directory, 'config'), padConfig(text, (await stat(boot.config)).size))
        await ask('config')
      }),
    openSlot: (slot) =>
      inTurn(async () => {
        await ask(`slot ${slot}`)
        return boot.slots[slot].device
      }),
    closeSlot: () => inTurn(() => ask('slot none')),
    setTime: (ms) => inTurn(() => ask(`time ${Math.round(ms / 1000)}`)),
    reboot: () => inTurn(() => ask('reboot')),
    poweroff: () => inTurn(() => ask('poweroff')),
    install: (disk) => inTurn(() => ask(`install ${disk}`, INSTALL_MS)),
  }
}

/** Spaces before the last newline fill the file to the 4096 bytes that it has on a card as flashed. */
export function padConfig(text: string, bytesNow: number): string {
  const body = text.trimEnd()
  const bytes = Buffer.byteLength(body)
  if (bytesNow !== CONFIG_BYTES || bytes >= CONFIG_BYTES) return `${body}\n`
  return `${body}${' '.repeat(CONFIG_BYTES - bytes - 1)}\n`
}

/** Undefined until the whole line is there. */
async function readReply(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    return text.endsWith('\n') ? text.trim() : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
