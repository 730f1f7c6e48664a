import { expect, test } from 'vitest'
import { formatPlaces, PLACES_BYTES, placeIn } from './places.ts'

const partition = (...parts: { at: number; bytes: Uint8Array }[]) => {
  const whole = new Uint8Array(8192)
  for (const { at, bytes } of parts) whole.set(bytes, at)
  return whole
}
const file = new Uint8Array(1024).map((_, index) => (index * 7) % 251)

test('a file in one piece is found where it begins', () => {
  expect(placeIn(partition({ at: 2048, bytes: file }), file, 'grubenv')).toBe(2048)
})

test.each([
  {
    how: 'in two pieces',
    parts: [
      { at: 1024, bytes: file.slice(0, 512) },
      { at: 4096, bytes: file.slice(512) },
    ],
    says: 'in pieces',
  },
  { how: 'in the middle of a sector', parts: [{ at: 2050, bytes: file }], says: 'in pieces' },
  {
    how: 'twice',
    parts: [
      { at: 1024, bytes: file },
      { at: 4096, bytes: file },
    ],
    says: '2 times',
  },
])('a file that lies $how is refused', ({ parts, says }) => {
  expect(() => placeIn(partition(...parts), file, 'grubenv')).toThrow(says)
})

test('places are lines of one sector, as the helper on the box reads them', () => {
  const bytes = formatPlaces({ env: 1_889_792, config: 1_051_648 })
  expect(bytes).toHaveLength(PLACES_BYTES)
  const lines = new TextDecoder().decode(bytes).split('\n')
  expect(lines).toContain('env 1889792')
  expect(lines).toContain('config 1051648')
})
