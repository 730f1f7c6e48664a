import { expect, test } from 'vitest'
import { median, row } from './harness.ts'

for (const { of, is } of [
  { of: [3], is: 3 },
  { of: [5, 1, 3], is: 3 },
  { of: [4, 1, 3, 2], is: 2.5 },
])
  test(`the median of ${of.join(', ')} is ${is}`, () => expect(median(of)).toBe(is))

test('the median of nothing is refused', () => expect(() => median([])).toThrow(RangeError))

test('a ratio above 1 means ours is better, for rates and for times', () => {
  expect(row('dhcp.dora', 'kea', '1/s', 300, 200)).toEqual({
    bench: 'dhcp.dora',
    peer: 'kea',
    unit: '1/s',
    value: 300,
    peerValue: 200,
    ratio: 1.5,
  })
  expect(row('http.cpu', 'nginx', 's', 2, 1, { better: 'less' }).ratio).toBe(0.5)
})
