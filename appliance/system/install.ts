import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import type { BootInfo } from './boot-info.ts'
import type { ConfigFile } from './config-file.ts'
import type { Helper } from './helper.ts'

/** A disk of this machine. */
export interface Disk {
  /** Such as `sda`. */
  name: string
  bytes: number
  partitions: number
  /** A stick, a card, or an emulated drive: not for keeping. */
  removable: boolean
}

/** One line for the screen. */
export type Installing = { doing: string } | { trouble: string }

/** What an `install` wish comes to. Pure. */
export type Choice = { kind: 'install'; disk: string; argument: string } | { kind: 'here' } | { kind: 'refused'; why: string }

/** `running` is the disk that this system runs from, such as `/dev/sdb`. */
export function chooseDisk(wish: string, disks: readonly Disk[], running: string): Choice {
  const [name = '', ...erase] = wish.replace(/^\/dev\//, '').split(':')
  const here = running.replace(/^\/dev\//, '')
  const others = disks.filter((disk) => disk.name !== here)
  const names = others.map((disk) => disk.name).join(', ') || 'none'
  if (name === here) return { kind: 'here' }
  if (name !== 'auto') {
    if (!others.some((disk) => disk.name === name)) return { kind: 'refused', why: `there is no disk ${name}; other disks: ${names}` }
    return { kind: 'install', disk: name, argument: [`/dev/${name}`, ...erase].join(':') }
  }
  const [only, ...more] = others.filter((disk) => !disk.removable)
  // the system on its disk finds the wish that brought it there
  if (!only)
    return disks.some((disk) => disk.name === here && !disk.removable)
      ? { kind: 'here' }
      : { kind: 'refused', why: 'there is no internal disk' }
  if (more.length > 0) return { kind: 'refused', why: `there are several internal disks (${names}); name one` }
  if (only.partitions > 0)
    return { kind: 'refused', why: `the disk ${only.name} holds partitions; write "install": "${only.name}:erase" to lose what is on it` }
  return { kind: 'install', disk: only.name, argument: `/dev/${only.name}` }
}

/**
 * Does what `install` in bridgehead.json asks for, once: the wish is erased before it is carried out, so that the copy does not hold it and
 * a failure does not repeat itself.
 */
export async function installIfAsked({
  settings,
  helper,
  boot,
  log,
  say,
}: {
  settings: Pick<ConfigFile, 'current' | 'write' | 'problems'>
  helper: Pick<Helper, 'install' | 'reboot'>
  boot: Pick<BootInfo, 'disk'>
  log: Log
  say: (line: Installing) => void
}): Promise<void> {
  const { install: wish, ...rest } = settings.current()
  if (wish === undefined || settings.problems().length > 0) return
  const choice = chooseDisk(wish, readDisks(), boot.disk)
  try {
    await settings.write(rest)
    if (choice.kind === 'here') return
    if (choice.kind === 'refused') throw new Error(choice.why)
    log.info('install.started', { disk: choice.disk })
    say({ doing: `copying this system to ${choice.disk}` })
    await helper.install(choice.argument)
    log.info('install.done', { disk: choice.disk })
    say({ doing: `this system is on ${choice.disk} now; remove the medium. The box starts again.` })
    await helper.reboot()
  } catch (error) {
    log.error('install.failed', { wish, error })
    say({ trouble: `not installed: ${error instanceof Error ? error.message : String(error)}` })
  }
}

function readDisks(directory = '/sys/block'): Disk[] {
  const number = (...path: string[]) => Number(readFileSync(join(directory, ...path), 'utf8'))
  return readdirSync(directory)
    .filter((name) => /^(sd|hd|vd|nvme|mmcblk|xvd)/.test(name) && !/boot\d|rpmb/.test(name))
    .map((name) => ({
      name,
      bytes: number(name, 'size') * 512,
      partitions: readdirSync(join(directory, name)).filter((one) => one.startsWith(name)).length,
      removable: number(name, 'removable') === 1 || realpathSync(join(directory, name)).includes('/usb'),
    }))
    .filter((disk) => disk.bytes > 0)
}
