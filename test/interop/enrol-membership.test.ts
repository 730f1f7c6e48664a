import { writeFileSync } from 'node:fs'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { type EnrolDeps, enrol, followNewToken } from '@bridgehead/appliance/uplink/enrol.ts'
import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import { readMembership, readSite, writeAdoption } from '@bridgehead/appliance/uplink/membership.ts'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import { expect, test } from 'vitest'
import { createEnrolLab, member, OWN, TOKEN } from './enrol-lab.ts'

// What a box keeps of its enrolment: over a crash, over a new token, and beside a site that a bundle gave it.
const { tls, manager, box } = await createEnrolLab()

test('a box that died before it kept the answer asks again with the same keys', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  const dying = openStore(':memory:')
  dying.db.exec("CREATE TRIGGER full_disk BEFORE INSERT ON kv BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  await expect(enrol({ ...one.deps, store: dying })).rejects.toThrow('disk full')
  expect(one.file().token).toBe(TOKEN)
  expect(await enrol(one.deps)).toMatchObject({ name: 'nuremberg' })
  const [first, second] = door.requests
  expect(second).toEqual(first)
})

test('a member needs no network, and erases a token that a crash left behind', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  const membership = await enrol(one.deps)
  writeFileSync(one.path, JSON.stringify({ manager: door.url, token: TOKEN }))
  const nowhere = { ...one.config, manager: 'http://127.0.0.1:1' }
  expect(await enrol({ ...one.deps, config: nowhere, clock: steppedClock() })).toEqual(membership)
  expect(one.file()).toEqual({ manager: door.url })
  expect(door.requests).toHaveLength(1)
})

test('a new token on an enrolled box is left where it is, and said', async () => {
  const door = await manager(member, false)
  const one = box({ manager: door.url })
  await enrol(one.deps)
  const fresh = `another-${newId()}`
  writeFileSync(one.path, JSON.stringify({ manager: door.url, token: fresh }))
  await enrol({ ...one.deps, config: { ...one.config, token: fresh } })
  expect(one.file().token).toBe(fresh)
  expect(one.said.join('\n')).toMatch(/enrol\.token_ignored/)
})

for (const { of, site, becomes } of [
  { of: 'this very site', site: OWN, becomes: 'same' },
  { of: 'another site', site: newId(), becomes: 'other' },
])
  test(`a flashed box that finds a new token of ${of} spends it`, async () => {
    const door = await manager((request, count) => {
      if (count === 1) return member(request)
      if (count === 2) return { status: 503, body: 'later' }
      return { status: 200, body: { ...member(request).body, site, secret: 'renewed' } }
    }, false)
    const one = box({ manager: door.url })
    await enrol(one.deps)
    writeFileSync(one.path, JSON.stringify({ ...one.config, token: 'fresh-token-0123456789' }))
    const config = () => ({ ...one.config, token: 'fresh-token-0123456789' })
    expect(await enrol({ ...one.deps, config })).toMatchObject({ secret: 'secret' })
    expect(await followNewToken({ ...one.deps, config })).toBe(becomes)
    expect(readMembership(one.deps.store)).toMatchObject({ site: OWN, secret: becomes === 'same' ? 'renewed' : 'secret' })
    expect(one.file().token).toBe(becomes === 'same' ? undefined : 'fresh-token-0123456789')
    expect(one.said.join('\n')).not.toMatch(/token_ignored/)
  })

test("what the site's last box had promised is kept in the same write as the membership", async () => {
  const leases = [{ lan: 'main', ip: '10.0.0.9' as Ipv4, mac: '52:54:00:00:00:01' as Mac, until: 1_800_000_000_000 }]
  const door = await manager((request) => ({ status: 200, body: { ...member(request).body, leases } }))
  const one = box({ manager: door.url, fingerprint: tls.fingerprint })
  const restored: { inTransaction: boolean; leases: unknown }[] = []
  const restore: EnrolDeps['restore'] = (db, given) => void restored.push({ inTransaction: db.inTransaction, leases: given })
  expect(await enrol({ ...one.deps, restore })).not.toHaveProperty('leases')
  expect(restored).toEqual([{ inTransaction: true, leases }])
})

const adoption = (site: string) => {
  const { d: _, ...key } = createSigningKey()
  return { site, name: 'nuremberg', managerKeys: [key] }
}

test('a box that a bundle gave its site needs no token, and says so', async () => {
  const one = box({ manager: 'http://127.0.0.1:1' })
  await writeAdoption(one.deps.store, adoption(OWN))
  const { token: _, ...config } = one.config
  expect(await enrol({ ...one.deps, config })).toBeUndefined()
  expect(one.said.join('\n')).toMatch(/enrol\.offline .*nuremberg/)
  expect(one.said.join('\n')).not.toMatch(/no_token/)
})

test('when an uplink comes, it enrols into its own site, and into no other', async () => {
  const door = await manager(member, false)
  const stranger = box({ manager: door.url })
  await writeAdoption(stranger.deps.store, { ...adoption(newId()), name: 'elsewhere' })
  expect(await enrol(stranger.deps)).toBeUndefined()
  expect(stranger.said.join('\n')).toMatch(/enrol\.other_site .*elsewhere/)
  expect(readMembership(stranger.deps.store)).toBeUndefined()

  const own = box({ manager: door.url })
  await writeAdoption(own.deps.store, adoption(OWN))
  expect(await enrol(own.deps)).toMatchObject({ site: OWN, secret: 'secret' })
  expect(readSite(own.deps.store)).toMatchObject({ site: OWN })
})
