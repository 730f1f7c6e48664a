import { copyFile, mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Accelerator } from './accelerator.ts'
import { ipIn, type LabNode } from './node.ts'
import type { Running } from './processes.ts'
import { connectQmp, type Qmp } from './qmp.ts'
import { createSerialLog, type SerialLog } from './serial.ts'
import { waitFor } from './wait.ts'

export type Firmware = 'bios' | 'uefi' | 'http'
export const FIRMWARES: readonly Firmware[] = ['bios', 'uefi', 'http']

export interface MachineOptions {
  name: string
  firmware: Firmware
  mac: string
  uuid: string
  accelerator: Accelerator
  /** The switch that its network card is plugged into. */
  lan: LabNode
  /** The switch's bridge; `br0` by default. */
  bridge?: string | undefined
  /** Disk, firmware variables, logs and sockets lie here. */
  directory: string
  serialNumber?: string
  memoryMiB?: number
  cpus?: number
  diskGiB?: number
}

/** A PC with an empty disk, whose firmware asks the network before its disk at every start. */
export interface Machine {
  readonly name: string
  readonly firmware: Firmware
  readonly mac: string
  readonly uuid: string
  readonly serial: SerialLog
  /** Resets seen so far, by the guest or by `reset`. */
  readonly resets: number
  readonly on: boolean
  /** Starts QEMU. Returns the epoch ms of power-on. */
  powerOn(): Promise<number>
  /** The reset button. */
  reset(): Promise<void>
  /** Pulls the plug. */
  powerOff(): Promise<void>
  /** Waits for a line on the serial port; says what was last seen when it does not come. */
  waitForLine(pattern: RegExp, ms: number): Promise<void>
}

export async function createMachine(options: MachineOptions): Promise<Machine> {
  const { name, firmware, mac, uuid, lan } = options
  const directory = join(options.directory, name)
  await mkdir(directory, { recursive: true })
  const disk = join(directory, 'disk.raw')
  await writeFile(disk, '')
  await truncate(disk, (options.diskGiB ?? 4) * 2 ** 30) // sparse
  if (firmware !== 'bios') await copyFile(OVMF.vars, join(directory, 'vars.fd'))
  const tap = `t${mac.replaceAll(':', '').slice(-8)}`
  await ipIn(lan.namespace, [`tuntap add ${tap} mode tap`, `link set ${tap} master ${options.bridge ?? 'br0'} up`])

  const serial = createSerialLog({ file: join(directory, 'serial.log'), now: Date.now })
  const argv = ['qemu-system-x86_64', ...qemuArguments({ ...options, directory, disk, tap })]
  let running: Running | undefined
  let qmp: Qmp | undefined
  let resets = 0
  return {
    name,
    firmware,
    mac,
    uuid,
    serial,
    get resets() {
      return resets
    },
    get on() {
      return running?.alive ?? false
    },
    async powerOn() {
      const at = Date.now()
      const log = join(directory, 'qemu.log')
      running = lan.spawn(`qemu ${name}`, argv, { onOutput: (chunk) => serial.feed(chunk), errorFile: log })
      const early = running.gone.then((how) => {
        throw new Error(`QEMU ended at once (${how}); see ${log}`)
      })
      const onEvent = (event: string) => {
        if (event === 'RESET') resets++
      }
      qmp = await Promise.race([connectQmp(join(directory, 'qmp.sock'), onEvent), early])
      early.catch(() => undefined) // later ends are seen by `on`
      return at
    },
    async reset() {
      await qmp?.execute('system_reset')
    },
    async powerOff() {
      qmp?.close()
      await running?.end(2000)
    },
    async waitForLine(pattern, ms) {
      const from = serial.lines.length
      await waitFor(`${pattern} on the serial port of ${name}`, () => serial.find(pattern, from), {
        ms,
        details: () => `last seen there:\n${serial.last(8)}`,
      })
    },
  }
}

/** Debian's package `ovmf`, 12 and 13 alike. */
const OVMF = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' }

function qemuArguments(machine: MachineOptions & { directory: string; disk: string; tap: string }): string[] {
  const { firmware, accelerator, name, mac, uuid, directory, disk, tap } = machine
  return [
    ...accelerator.args,
    ...[
      '-name',
      name,
      '-machine',
      firmware === 'bios' ? 'pc' : 'q35',
      '-smp',
      String(machine.cpus ?? 2),
      '-m',
      String(machine.memoryMiB ?? 1024),
    ],
    ...['-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-uuid', uuid],
    ...['-smbios', `type=1,manufacturer=Bridgehead,product=Lab machine,serial=${machine.serialNumber ?? name},uuid=${uuid}`],
    ...['-qmp', `unix:${join(directory, 'qmp.sock')},server=on,wait=off`],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    ...['-netdev', `tap,id=net,ifname=${tap},script=no,downscript=no,vnet_hdr=off`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${mac},bootindex=1${firmware === 'bios' ? '' : ',romfile='}`],
    ...['-drive', `if=none,id=disk,file=${disk},format=raw,cache=unsafe,discard=unmap`],
    ...['-device', 'virtio-blk-pci,drive=disk,bootindex=2'],
    ...(firmware === 'bios' ? [] : uefi(directory)),
    ...(firmware === 'http' ? HTTP_ONLY : []),
  ]
}

/** OVMF's own PXE and HTTP boot are what is tested: `romfile=` above keeps QEMU's iPXE driver out of the card. */
function uefi(directory: string): string[] {
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${OVMF.code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${join(directory, 'vars.fd')}`],
  ]
}

/** Without PXE the firmware comes to HTTP boot at once. */
const HTTP_ONLY = ['IPv4', 'IPv6'].flatMap((family) => ['-fw_cfg', `name=opt/org.tianocore/${family}PXESupport,string=n`])
