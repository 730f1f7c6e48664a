import { join } from 'node:path'
import type { Accelerator } from '../accelerator.ts'
import { loggedDrive } from '../powercut/logged-drive.ts'

/** Machines that boot the appliance's image, each by another chain of firmware, disk and network card. */
export const BOARDS = ['bios-ahci', 'uefi-nvme', 'bios-usb-512', 'arm64-uefi', 'raspi3b'] as const
export type Board = (typeof BOARDS)[number]

/** Which image a board takes. */
export const imageOf = (board: Board): 'x86_64' | 'rpi' => (board === 'arm64-uefi' || board === 'raspi3b' ? 'rpi' : 'x86_64')

export interface BoardOptions {
  board: Board
  /** The card, stick or disk, raw; the machine writes to it. */
  disk: string
  /** Gets all that the machine writes on the disk, in order (see ../powercut/). */
  writeLog?: string | undefined
  /** An internal disk beside it, raw, on SATA and behind it in the boot order. Only for `bios-usb-512`. */
  internal?: string | undefined
  /** Taps, in the machine's order of network cards. */
  nics: readonly { tap: string; mac: string }[]
  /** Sockets and firmware variables lie here; variables were copied there before, as `vars.fd`. */
  directory: string
  memoryMiB?: number | undefined
  accelerator: Accelerator
  /** For `raspi3b`, whose own firmware QEMU does not run: what that would load from the card. */
  pi?: { uBoot: string; deviceTree: string } | undefined
}

/** QEMU of this computer's own kind runs no arm64 guest by KVM, and a foreign one never. */
export const TCG: Accelerator = { kind: 'tcg', args: ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max'], why: 'asked for' }

/** Debian's packages `ovmf` and `qemu-efi-aarch64`. */
const CODE = { 'uefi-nvme': '/usr/share/OVMF/OVMF_CODE_4M.fd', 'arm64-uefi': '/usr/share/AAVMF/AAVMF_CODE.fd' } as const

/** Empty firmware variables of a board that has any. */
export const firmwareVariables = (board: Board): string | undefined =>
  board === 'uefi-nvme' ? '/usr/share/OVMF/OVMF_VARS_4M.fd' : board === 'arm64-uefi' ? '/usr/share/AAVMF/AAVMF_VARS.fd' : undefined

/**
 * QEMU's command line. The console is its standard output; a second serial port is the unix socket `shell.sock`, where nobody listens in an
 * image as it is shipped; `qmp.sock` takes orders. A watchdog that is not fed resets the machine.
 */
export function boxCommand(options: BoardOptions): [string, ...string[]] {
  const { board, directory, nics } = options
  const control = ['-qmp', `unix:${join(directory, 'qmp.sock')},server=on,wait=off`, '-action', 'watchdog=reset']
  const common = ['-nodefaults', '-display', 'none', '-monitor', 'none', ...control]
  const taps = nics.flatMap(({ tap }, index) => ['-netdev', `tap,id=net${index},ifname=${tap},script=no,downscript=no,vnet_hdr=off`])
  if (board === 'raspi3b') return ['qemu-system-aarch64', ...common, ...taps, ...raspberry(options)]
  const arm = board === 'arm64-uefi'
  return [
    arm ? 'qemu-system-aarch64' : 'qemu-system-x86_64',
    ...common,
    ...(arm ? TCG : options.accelerator).args,
    ...['-smp', '2', '-m', String(options.memoryMiB ?? (board === 'bios-usb-512' ? 512 : 1024))],
    ...machine(options),
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    ...['-device', 'i6300esb'],
    ...['-chardev', `socket,id=shell,path=${join(directory, 'shell.sock')},server=on,wait=off`],
    ...['-serial', 'stdio', ...(arm ? [] : ['-serial', 'chardev:shell'])],
    ...taps,
    ...nics.flatMap(({ mac }, index) => ['-device', `${card(board)},netdev=net${index},mac=${mac}`]),
    ...disks(options),
  ]
}

function machine({ board, directory }: BoardOptions): string[] {
  const pflash = (code: string) => [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${join(directory, 'vars.fd')}`],
  ]
  switch (board) {
    case 'uefi-nvme':
      return ['-machine', 'q35', '-device', 'VGA', ...pflash(CODE[board])]
    case 'arm64-uefi':
      return ['-machine', 'virt', '-device', 'virtio-gpu-pci', ...pflash(CODE[board])]
    case 'bios-usb-512':
      return ['-machine', 'q35', '-device', 'VGA', '-device', 'qemu-xhci,id=xhci']
    default:
      return ['-machine', 'pc', '-device', 'VGA']
  }
}

/** Without `romfile=` QEMU's iPXE would boot from the network where the disk does not. */
function card(board: Board): string {
  if (board === 'bios-usb-512') return 'usb-net,bus=xhci.0'
  return board === 'uefi-nvme' ? 'e1000e,romfile=' : 'virtio-net-pci,romfile='
}

function disks({ board, disk, writeLog, internal }: BoardOptions): string[] {
  // Writeback: what the guest flushed is on this computer's disk, what it wrote survives a kill -9 of QEMU.
  const drive = (id: string, file: string) => ['-drive', `if=none,id=${id},file=${file},format=raw,cache=writeback,discard=unmap`]
  const medium = writeLog === undefined ? drive('disk', disk) : loggedDrive('disk', disk, writeLog)
  switch (board) {
    case 'bios-ahci':
      return [...medium, '-device', 'ich9-ahci,id=sata', '-device', 'ide-hd,drive=disk,bus=sata.0,bootindex=1']
    case 'uefi-nvme':
      return [...medium, '-device', 'nvme,drive=disk,serial=bridgehead,bootindex=1']
    case 'bios-usb-512':
      return [
        ...[...medium, '-device', 'usb-storage,bus=xhci.0,drive=disk,id=stick,bootindex=1'],
        ...(internal === undefined ? [] : [...drive('internal', internal), '-device', 'ide-hd,drive=internal,bus=ide.0,bootindex=2']),
      ]
    default:
      return [...medium, '-device', 'virtio-blk-pci,drive=disk,bootindex=1']
  }
}

/** For QMP's `device_add`, once the system shows its screen; undefined for boards whose cards are there from the start. */
export function lateCard({ board, nics: [nic] }: Pick<BoardOptions, 'board' | 'nics'>): Record<string, string> | undefined {
  return board === 'raspi3b' && nic ? { driver: 'usb-net', netdev: 'net0', mac: nic.mac, id: 'nic0' } : undefined
}

/**
 * The second serial port is the one that U-Boot and the console use. Its network card belongs on the board's only USB port, as the real one's
 * does, but is plugged in while the system runs (`lateCard`): QEMU's USB controller loses what hangs on it when U-Boot hands over to Linux.
 */
function raspberry({ disk, nics, pi }: BoardOptions): string[] {
  const [nic] = nics
  if (!pi || !nic || nics.length > 1) throw new Error('a Raspberry Pi has one network card, and needs its U-Boot and device tree')
  return [
    ...['-machine', 'raspi3b', '-kernel', pi.uBoot, '-dtb', pi.deviceTree, '-serial', 'null', '-serial', 'stdio'],
    ...['-drive', `if=sd,format=raw,file=${disk},cache=writeback`],
  ]
}
