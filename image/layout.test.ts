import { expect, test } from 'vitest'
import { BOARDS } from './boards.ts'
import { dataOffset, imageBytes, regionOf, regionsOf, SLOT_BYTES } from './layout.ts'

const MIB = 1_048_576

test.each([
  { board: 'x86_64', lies: ['1 bios 1+1', '2 boot 2+64', '3 slot-a 66+160', '4 slot-b 226+160'], image: 387, data: 388 },
  { board: 'rpi', lies: ['1 boot 1+64', '2 slot-a 65+160', '3 slot-b 225+160'], image: 386, data: 387 },
] as const)('$board: $lies, an image of $image MiB, data from $data MiB on', ({ board, lies, image, data }) => {
  const shown = regionsOf(board).map(({ name, number, offset, bytes }) => `${number} ${name} ${offset / MIB}+${bytes / MIB}`)
  expect(shown).toEqual(lies)
  expect([imageBytes(board) / MIB, dataOffset(board) / MIB]).toEqual([image, data])
})

test('flashing again touches nothing of the data partition', () => {
  for (const board of BOARDS) expect(dataOffset(board)).toBeGreaterThanOrEqual(imageBytes(board))
})

test('both slots have one size, and the data partition begins where rcS puts it: 4096 sectors behind slot B', () => {
  for (const board of BOARDS) {
    const b = regionOf(board, 'slot-b')
    expect([regionOf(board, 'slot-a').bytes, b.bytes]).toEqual([SLOT_BYTES, SLOT_BYTES])
    expect(dataOffset(board)).toBe(b.offset + b.bytes + 4096 * 512)
  }
})

test('a partition that a board has not is named', () => {
  expect(() => regionOf('rpi', 'bios')).toThrow('board rpi has no partition "bios"')
})
