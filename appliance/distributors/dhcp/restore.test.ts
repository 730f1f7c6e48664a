import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { expect, test } from 'vitest'
import { openStore } from '../../store/store.ts'
import { restoreLeases } from './restore.ts'

const NOW = 1_700_000_000_000
const lease = (ip: string, until: number, hostname?: string) => ({
  lan: 'main',
  ip: ip as Ipv4,
  mac: `52:54:00:00:00:${ip.slice(-2)}` as Mac,
  until,
  ...(hostname === undefined ? {} : { hostname }),
})

test('what still lives is kept, what this box promised itself stays', async () => {
  const store = openStore(':memory:')
  await store.write((db) => {
    restoreLeases(db, [lease('10.0.0.10', NOW + 1)], NOW)
    restoreLeases(db, [lease('10.0.0.10', NOW + 9, 'late'), lease('10.0.0.11', NOW + 5, 'node'), lease('10.0.0.12', NOW)], NOW)
  })
  expect(store.db.prepare('SELECT ip, mac, hostname, state, until FROM leases ORDER BY ip').all()).toEqual([
    { ip: '10.0.0.10', mac: '52:54:00:00:00:10', hostname: null, state: 'bound', until: NOW + 1 },
    { ip: '10.0.0.11', mac: '52:54:00:00:00:11', hostname: 'node', state: 'bound', until: NOW + 5 },
  ])
})
