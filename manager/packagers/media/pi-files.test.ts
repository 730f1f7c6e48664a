import { expect, test } from 'vitest'
import { CONFIG_TXT, PI_FIRMWARE, PI_U_BOOT, piLayout } from './pi-files.ts'

const trees = ['bcm2837-rpi-3-b.dtb', 'bcm2711-rpi-4-b.dtb', 'bcm2712-rpi-5-b.dtb']
const names = [...PI_FIRMWARE, ...PI_U_BOOT, ...trees]

/** As the firmware reads it: the last setting of a section that fits counts. */
function settingsOf(model: string): Record<string, string> {
  const settings: Record<string, string> = {}
  let section = 'all'
  for (const line of CONFIG_TXT.split('\n')) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (name && value !== undefined && (section === 'all' || section === model)) settings[name] = value
  }
  return settings
}

for (const { model, kernel } of [
  { model: 'pi3', kernel: 'u-boot-rpi-3.bin' },
  { model: 'pi02', kernel: 'u-boot-rpi-3.bin' },
  { model: 'pi4', kernel: 'u-boot-rpi-4.bin' },
  { model: 'pi5', kernel: 'u-boot-rpi-arm64.bin' },
])
  test(`the firmware of ${model} starts ${kernel} in 64 bit, and it is on the card`, () => {
    expect(settingsOf(model)).toMatchObject({ kernel, arm_64bit: '1', upstream_kernel: '1', enable_uart: '1' })
    expect(Object.keys(piLayout(names))).toContain(kernel)
  })

test('no line of config.txt is longer than the firmware reads (98 characters)', () => {
  expect(CONFIG_TXT.split('\n').filter((line) => line.length > 98)).toEqual([])
})

test('device trees lie where the firmware looks and where U-Boot looks', () => {
  const layout = piLayout(names)
  for (const tree of trees) expect([layout[tree], layout[`dtb/broadcom/${tree}`]]).toEqual([tree, tree])
})

for (const { left, missing } of [
  { left: names.filter((name) => name !== 'start4.elf'), missing: 'start4.elf' },
  { left: names.filter((name) => !name.startsWith('bcm2712')), missing: 'bcm2712-rpi-*.dtb' },
])
  test(`parts without ${missing} are refused by that name`, () => {
    expect(() => piLayout(left)).toThrow(missing)
  })
