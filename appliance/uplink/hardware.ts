import { existsSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'

/** What the box can tell about itself at enrolment, so that a person may recognise it. */
export type Hardware = EnrolRequest['hardware']

const SERIAL = ['/sys/class/dmi/id/product_serial', '/proc/device-tree/serial-number']
const MODEL = ['/sys/class/dmi/id/product_name', '/proc/device-tree/model']

export function readHardware(): Hardware {
  const serial = firstLine(SERIAL)
  const model = firstLine(MODEL)
  return { ...(serial === undefined ? {} : { serial }), ...(model === undefined ? {} : { model }), macs: readMacs() }
}

function firstLine(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    if (!existsSync(path)) continue
    try {
      // A device tree string ends in a zero byte (Devicetree Specification §2.2.4).
      const text = readFileSync(path, 'utf8').replaceAll('\0', '').trim().slice(0, 128)
      if (text !== '') return text
    } catch {}
  }
  return undefined
}

function readMacs(): string[] {
  const macs = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((one) => !one.internal && one.mac !== '00:00:00:00:00:00')
    .map((one) => one.mac)
  return [...new Set(macs)].slice(0, 32)
}
