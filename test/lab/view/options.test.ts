import { expect, test } from 'vitest'
import { readDemoOptions } from './options.ts'

test('without options it is a BIOS machine, for people, and ends', () => {
  expect(readDemoOptions([])).toEqual({ firmware: 'bios', keep: false, json: false, help: false })
  expect(readDemoOptions(['--firmware=http', '--json', '--keep'])).toMatchObject({ firmware: 'http', json: true, keep: true })
})

for (const [args, message] of [
  [['--firmware', 'pxe'], '--firmware: expected one of bios, uefi, http, got "pxe"'],
  [['--fimware', 'bios'], "Unknown option '--fimware'; expected --firmware bios|uefi|http, --keep, --json or --help"],
  [['--keep=yes'], "Option '--keep' does not take an argument; expected --firmware bios|uefi|http, --keep, --json or --help"],
  [['bios'], "Unexpected argument 'bios'"],
] as const)
  test(`"${args.join(' ')}" is refused`, () => expect(() => readDemoOptions(args)).toThrow(message))
