import { expect, test } from 'vitest'
import { labNames, ownerOf } from './names.ts'

const lab = labNames(4_194_304, 12)

test('a name tells the process that made it', () => {
  expect(ownerOf(lab.namespace('router1'))).toBe(4_194_304)
  expect(ownerOf(`${lab.directory}a1B2c3`)).toBe(4_194_304)
})

for (const name of ['site', 'bhlab', 'bhlab-x-1-m', 'mybhlab-1-1-m', 'eth0'])
  test(`"${name}" belongs to no lab`, () => expect(ownerOf(name)).toBeUndefined())

test('tunnels fit an interface name and differ by role', () => {
  expect(lab.tunnel('m')).toHaveLength(13)
  expect(new Set(['m', 'a', 'b'].map((role) => lab.tunnel(role))).size).toBe(3)
})
