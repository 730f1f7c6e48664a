import { silentLog } from '@bridgehead/shared/log.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { expect, test } from 'vitest'
import { chooseDisk, type Disk, installIfAsked } from './install.ts'

const disk = (name: string, more: Partial<Disk> = {}): Disk => ({ name, bytes: 1e10, partitions: 0, removable: false, ...more })
const STICK = disk('sdb', { partitions: 5, removable: true })

for (const row of [
  { wish: 'auto', disks: [STICK, disk('sda')], is: { kind: 'install', disk: 'sda', argument: '/dev/sda' } },
  { wish: 'auto', disks: [STICK], is: { kind: 'refused', why: 'there is no internal disk' } },
  {
    wish: 'auto',
    disks: [STICK, disk('sda', { partitions: 2 })],
    is: { kind: 'refused', why: expect.stringMatching(/sda holds partitions; .*sda:erase/) },
  },
  {
    wish: 'auto',
    disks: [STICK, disk('sda'), disk('nvme0n1')],
    is: { kind: 'refused', why: expect.stringMatching(/several internal disks \(sda, nvme0n1\)/) },
  },
  { wish: 'sda:erase', disks: [STICK, disk('sda', { partitions: 2 })], is: { kind: 'install', disk: 'sda', argument: '/dev/sda:erase' } },
  { wish: '/dev/nvme0n1', disks: [STICK, disk('nvme0n1')], is: { kind: 'install', disk: 'nvme0n1', argument: '/dev/nvme0n1' } },
  { wish: 'sdz', disks: [STICK, disk('sda')], is: { kind: 'refused', why: 'there is no disk sdz; other disks: sda' } },
  { wish: 'sdb', disks: [STICK], is: { kind: 'here' } },
])
  test(`"${row.wish}" beside ${row.disks.map((one) => `${one.name}${one.partitions > 0 ? '*' : ''}`).join(' ')} is ${row.is.kind}`, () =>
    expect(chooseDisk(row.wish, row.disks, '/dev/sdb')).toEqual(row.is))

test('on the disk it was brought to, the wish is fulfilled', () => {
  expect(chooseDisk('auto', [disk('sda', { partitions: 5 })], '/dev/sda')).toEqual({ kind: 'here' })
})

test('a wish that cannot be met is erased, and said', async () => {
  let config: ApplianceConfig = { name: 'x', install: 'sdz9' }
  const said: object[] = []
  await installIfAsked({
    settings: {
      current: () => config,
      problems: () => [],
      write: async (next) => {
        config = next
      },
    },
    helper: { install: () => Promise.reject(new Error('must not be called')), reboot: async () => {} },
    boot: { disk: '/dev/sdb' },
    log: silentLog,
    say: (line) => void said.push(line),
  })
  expect(config).toEqual({ name: 'x' })
  expect(said).toEqual([{ trouble: expect.stringMatching(/^not installed: there is no disk sdz9/) }])
})
