import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, somebody, startHarness } from '../harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const enrol = (body: object) => h.ask('POST', '/enrol', body, null)
const claim = (site: string, code: string, as: string | ReturnType<typeof somebody> = 'acme') =>
  h.ask('POST', `/sites/${site}/claim`, { code }, as)

test('a box without a token shows a code; whoever types it binds the box, which is let in when it asks again', async () => {
  const site = await newSite(h, 'berlin')
  const box = newBox()
  const shown = await enrol(await box.request())
  expect(shown.status).toBe(202)
  expect(shown.body).toEqual({
    pending: true,
    code: expect.stringMatching(/^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/),
    expiresAt: h.clock.now() + 600_000,
  })
  expect((await claim('berlin', shown.body.code.toLowerCase().replace('-', ' '))).status).toBe(204)
  const done = await enrol(await box.request())
  expect([done.status, done.body.site, done.body.name]).toEqual([200, site, 'berlin'])
  expect(h.bus.users.has(site)).toBe(true)
  expect((await enrol(await box.request())).body.secret).not.toBe(done.body.secret) // the answer was lost: the same with a fresh secret
})

test('the code stays while it lives, and is another one after ten minutes', async () => {
  await newSite(h, 'berlin')
  const box = newBox()
  const first = (await enrol(await box.request())).body
  h.clock.advance(599_999)
  expect((await enrol(await box.request())).body).toEqual(first)
  h.clock.advance(1)
  const second = (await enrol(await box.request())).body
  expect(second.code).not.toBe(first.code)
  expect((await claim('berlin', first.code)).status).toBe(404)
  expect((await claim('berlin', second.code)).status).toBe(204)
})

test('a code that nobody shows is not found, and after ten of them the organisation waits a minute', async () => {
  await newSite(h, 'berlin')
  await newSite(h, 'paris', 'other')
  const { code } = (await enrol(await newBox().request())).body
  for (let number = 0; number < 10; number++) {
    const wrong = await claim('berlin', 'AAAA-BBBB')
    expect([wrong.status, wrong.body.code]).toEqual([404, 'not-found'])
    expect(wrong.body.detail).toContain("look at the box's screen again")
  }
  const limited = await claim('berlin', code)
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '60'])
  expect((await claim('paris', 'AAAA-BBBB', 'other')).status).toBe(404) // others are not held up
  h.clock.advance(60_000)
  expect((await claim('berlin', code)).status).toBe(204)
})

test('a code works once, at a site of one’s own, and with the right scope', async () => {
  await newSite(h, 'berlin')
  await newSite(h, 'paris')
  const { code } = (await enrol(await newBox().request())).body
  expect((await claim('berlin', code, 'evil')).status).toBe(404)
  expect((await claim('berlin', code, somebody('acme', ['sites:read']))).status).toBe(403)
  expect((await claim('berlin', 'short')).body.errors[0].field).toBe('code')
  expect((await claim('berlin', code)).status).toBe(204)
  expect((await claim('paris', code)).status).toBe(404)
})

test('a claimed box takes the place of the dead one, and gets what that had promised', async () => {
  const site = await newSite(h, 'berlin')
  const dead = newBox('dead')
  await claim('berlin', (await enrol(await dead.request())).body.code)
  expect((await enrol(await dead.request())).body.leases).toBeUndefined()
  const lease = { mac: '52:54:00:00:00:01', ip: '192.168.1.50', lan: 'lan', until: h.clock.now() + 1000, hostname: 'printer' }
  await h.manager.ingest(site, [h.fact('dhcp.lease', lease as never)])
  await h.manager.ingest(site, [h.fact('dhcp.lease', { ...lease, ip: '192.168.1.51', mac: '52:54:00:00:00:02' } as never)])
  await h.manager.ingest(site, [
    h.fact('dhcp.release', { ...lease, ip: '192.168.1.51', mac: '52:54:00:00:00:02', why: 'expired' } as never),
  ])
  h.clock.advance(3_600_000)

  const fresh = newBox('fresh')
  await claim('berlin', (await enrol(await fresh.request())).body.code)
  const done = (await enrol(await fresh.request())).body
  // Renewals are not told, so the lease may have been renewed a moment ago: it counts for a whole lease time.
  expect(done.leases).toEqual([{ lan: 'lan', ip: lease.ip, mac: lease.mac, hostname: 'printer', until: h.clock.now() + 43_200_000 }])
  expect((await enrol(await fresh.request())).body.leases).toHaveLength(1) // the answer was lost
  expect(h.peers().map((peer) => peer.publicKey)).toEqual([fresh.wireguardKey])
  expect((await enrol(await dead.request())).status).toBe(202)

  await h.manager.ingest(site, [h.fact('state.applied', { revision: 1 })])
  expect((await enrol(await fresh.request())).body.leases).toBeUndefined() // its own book is the newer one now
})

test('who knows only the WireGuard key of a waiting box does not get its code', async () => {
  const box = newBox()
  const { code } = (await enrol(await box.request())).body
  const thief = await enrol(await newBox().request(undefined, { wireguardKey: box.wireguardKey }))
  expect(thief.status).toBe(429)
  expect(JSON.stringify(thief.body)).not.toContain(code)
})
