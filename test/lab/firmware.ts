import { copyFileSync, cpSync, mkdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

/** Machines that boot a medium: a PC with BIOS, with UEFI; an arm64 server; both also enforcing Secure Boot; a Raspberry Pi 3. */
export type FirmwareKind = 'seabios' | 'ovmf' | 'ovmf-secure' | 'aavmf' | 'aavmf-secure' | 'raspi3b'
export type Medium =
  | { kind: 'cd' | 'usb' | 'sd'; file: string }
  /** Firmware's own PXE, from QEMU's TFTP server. */
  | { kind: 'tftp'; directory: string; file: string }
  /** Firmware's own PXE, on a tap of the network namespace that QEMU runs in. */
  | { kind: 'tap'; name: string; mac: string }

export interface FirmwareOptions {
  kind: FirmwareKind
  medium: Medium
  /** Copies and firmware variables lie here. */
  directory: string
  /** For the Raspberry Pi, whose own firmware QEMU does not run: what that would load. */
  pi?: { uBoot: string; deviceTree: string }
}

const TCG = ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max']
const OVMF = '/usr/share/OVMF'
const AAVMF = '/usr/share/AAVMF'

/** QEMU's command line; the serial port is its standard output. Machines reach servers of this computer's loopback at 10.0.2.2. */
export function firmwareCommand(options: FirmwareOptions): [string, ...string[]] {
  mkdirSync(options.directory, { recursive: true })
  const common = ['-nodefaults', '-display', 'none', '-monitor', 'none']
  if (options.kind === 'raspi3b') return ['qemu-system-aarch64', ...common, ...raspberry(options)]
  const program = isArm(options.kind) ? 'qemu-system-aarch64' : 'qemu-system-x86_64'
  return [
    program,
    ...common,
    ...TCG,
    '-m',
    '512',
    '-smp',
    '2',
    '-serial',
    'stdio',
    ...board(options),
    ...network(options),
    ...disk(options),
  ]
}

const isArm = (kind: FirmwareKind) => kind === 'aavmf' || kind === 'aavmf-secure'

function board({ kind, directory }: FirmwareOptions): string[] {
  const variables = (from: string) => {
    copyFileSync(from, join(directory, 'vars.fd'))
    return ['-drive', `if=pflash,unit=1,format=raw,file=${join(directory, 'vars.fd')}`]
  }
  const code = (file: string) => ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${file}`]
  switch (kind) {
    case 'ovmf':
      return ['-machine', 'q35', ...code(`${OVMF}/OVMF_CODE_4M.fd`), ...variables(`${OVMF}/OVMF_VARS_4M.fd`)]
    case 'ovmf-secure': // Microsoft's keys are enrolled; only the firmware, in system management mode, may write them
      return [
        ...['-machine', 'q35,smm=on', '-global', 'driver=cfi.pflash01,property=secure,value=on'],
        ...[...code(`${OVMF}/OVMF_CODE_4M.ms.fd`), ...variables(`${OVMF}/OVMF_VARS_4M.ms.fd`)],
      ]
    case 'aavmf':
      return ['-machine', 'virt', ...code(`${AAVMF}/AAVMF_CODE.fd`), ...variables(`${AAVMF}/AAVMF_VARS.fd`)]
    case 'aavmf-secure':
      return ['-machine', 'virt', ...code(`${AAVMF}/AAVMF_CODE.ms.fd`), ...variables(`${AAVMF}/AAVMF_VARS.ms.fd`)]
    default:
      return ['-machine', 'pc']
  }
}

/** Without `romfile=` QEMU's iPXE would be the card's UEFI driver and boot in the firmware's place; BIOS knows no other network boot. */
function network({ kind, medium }: FirmwareOptions): string[] {
  const rom = kind === 'seabios' ? '' : ',romfile='
  if (medium.kind === 'tap')
    return [
      ...['-netdev', `tap,id=net,ifname=${medium.name},script=no,downscript=no,vnet_hdr=off`],
      ...['-device', `virtio-net-pci,netdev=net,mac=${medium.mac},bootindex=1${rom}`],
    ]
  const tftp = medium.kind === 'tftp' ? `,tftp=${medium.directory},bootfile=${medium.file}` : ''
  return ['-netdev', `user,id=net${tftp}`, '-device', `virtio-net-pci,netdev=net${tftp ? ',bootindex=1' : ''}${rom}`]
}

function disk({ kind, medium }: FirmwareOptions): string[] {
  if (medium.kind === 'usb')
    return [
      ...['-drive', `if=none,id=medium,format=raw,snapshot=on,file=${medium.file}`],
      ...['-device', 'qemu-xhci', '-device', 'usb-storage,drive=medium,bootindex=1'],
    ]
  if (medium.kind !== 'cd') return []
  const drive = ['-drive', `if=none,id=medium,media=cdrom,format=raw,readonly=on,file=${medium.file}`]
  return isArm(kind)
    ? [...drive, '-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=medium,bootindex=1']
    : [...drive, '-device', 'ide-cd,drive=medium,bootindex=1']
}

/** Its second serial port is the one that U-Boot speaks on. SD cards of QEMU have a power of two of bytes. */
function raspberry({ medium, directory, pi }: FirmwareOptions): string[] {
  if (medium.kind !== 'sd' || !pi) throw new Error('a Raspberry Pi boots an SD card, and needs its U-Boot and device tree')
  const card = join(directory, 'card.img')
  cpSync(medium.file, card)
  truncateSync(card, 64 * 2 ** 20)
  return [
    ...['-machine', 'raspi3b', '-kernel', pi.uBoot, '-dtb', pi.deviceTree, '-serial', 'null', '-serial', 'stdio'],
    ...['-drive', `if=sd,format=raw,file=${card}`],
  ]
}
