import { parseArgs } from 'node:util'
import { FIRMWARES, type Firmware } from '../qemu.ts'

export interface DemoOptions {
  firmware: Firmware
  keep: boolean
  json: boolean
  help: boolean
}

/** An option that does not exist or cannot be; the message names it and what was expected. */
export class OptionError extends Error {
  readonly code = 'option'
}

export const DEMO_USAGE = `npm run demo -- [options]

  --firmware bios|uefi|http   what the machine boots by: legacy PXE, UEFI PXE, or UEFI HTTP boot (bios)
  --keep                      leave everything running at the end, until Ctrl-C
  --json                      one JSON object a line; the last one is demo.done (or demo.failed)
  --help                      this text
`

export function readDemoOptions(args: readonly string[]): DemoOptions {
  const { firmware, ...switches } = parse(args)
  const known = FIRMWARES.find((one) => one === firmware)
  if (!known) throw new OptionError(`--firmware: expected one of ${FIRMWARES.join(', ')}, got "${firmware}"`)
  return { firmware: known, ...switches }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        firmware: { type: 'string', default: 'bios' },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new OptionError(`${(error as Error).message.split('. ')[0]}; expected --firmware bios|uefi|http, --keep, --json or --help`)
  }
}
