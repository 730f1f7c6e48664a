import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, startHarness } from '../harness.ts'
import { boxKeys, decideEnrolment, pendingCode } from './enrolment.ts'

const NOW = 1_000_000
const box = { wireguardKey: 'w1', signingKey: 's1' }
const other = { wireguardKey: 'w2', signingKey: 's2' }
const fresh = { expiresAt: NOW + 1 }
const expired = { expiresAt: NOW }

for (const { what, token, bound, from, gets } of [
  { what: 'a fresh token, for an empty site', token: fresh, bound: undefined, from: box, gets: 'bind' },
  { what: 'a fresh token, for a bound site (its box is replaced)', token: fresh, bound: other, from: box, gets: 'bind' },
  { what: 'an expired token', token: expired, bound: undefined, from: box, gets: 'refuse' },
  { what: 'no known token', token: undefined, bound: undefined, from: box, gets: 'refuse' },
  { what: 'the token that it spent itself', token: { ...fresh, spentBy: box }, bound: box, from: box, gets: 'repeat' },
  { what: 'the token that it spent itself, expired since', token: { ...expired, spentBy: box }, bound: box, from: box, gets: 'repeat' },
  { what: 'a token that another box spent', token: { ...fresh, spentBy: other }, bound: other, from: box, gets: 'pending' },
  { what: 'its own spent token, after it was replaced', token: { ...fresh, spentBy: box }, bound: other, from: box, gets: 'pending' },
  {
    what: 'its own token with only one key the same',
    token: { ...fresh, spentBy: { ...box, signingKey: 's9' } },
    bound: box,
    from: box,
    gets: 'pending',
  },
])
  test(`a box with ${what} gets ${gets}`, () => expect(decideEnrolment(token, bound, from, NOW).kind).toBe(gets))

test('the code of a waiting box depends on both keys and reads well', () => {
  expect(pendingCode(box)).toMatch(/^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/)
  expect(pendingCode(box)).toBe(pendingCode({ ...box }))
  expect(pendingCode({ ...box, signingKey: 's3' })).not.toBe(pendingCode(box))
})

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

async function tokenOf(site: string, body: object = {}): Promise<string> {
  const made = await h.ask('POST', `/sites/${site}/tokens`, body)
  expect(made.status).toBe(201)
  expect(made.body.config).toMatchObject({ manager: 'https://manager.example:8443', fingerprint: 'f'.repeat(64) })
  return made.body.config.token
}
const enrol = async (body: object) => h.ask('POST', '/enrol', body, null)

test('a box enrols, and finds everything in the answer', async () => {
  const site = await newSite(h, 'berlin')
  const one = newBox()
  const done = await enrol(await one.request(await tokenOf(site)))
  expect(done.status).toBe(200)
  expect(done.body).toMatchObject({
    site,
    name: 'berlin',
    overlay: { address: 'fd00:1:2:1::1/64', hubAddress: 'fd00:1:2::1', hubEndpoint: 'manager.example:51820' },
    redis: { host: 'fd00:1:2::1', port: 6390, username: `site-${site}` },
    artifacts: 'http://[fd00:1:2::1]:8480/artifacts',
    managerKeys: [{ kid: h.signingKey.kid }],
  })
  expect(JSON.stringify(done.body)).not.toContain(h.signingKey.d)
  expect(h.bus.users.get(site)).toMatch(/^[0-9a-f]{64}$/)
  expect(h.peers()).toEqual([{ publicKey: one.wireguardKey, allowedIps: ['fd00:1:2:1::/64'] }])
  expect((await h.ask('GET', '/sites/berlin')).body.appliance).toMatchObject({
    overlayAddress: 'fd00:1:2:1::1',
    hardware: { serial: 'box-1' },
  })
  expect(JSON.stringify(await h.db.selectFrom('appliances').selectAll().execute())).not.toContain(done.body.secret)
})

test('the same box asks again and gets the same answer with a fresh secret', async () => {
  const site = await newSite(h, 'berlin')
  const token = await tokenOf(site)
  const one = newBox()
  const first = await enrol(await one.request(token))
  h.clock.advance(90_000_000) // the token has expired meanwhile
  const again = await enrol(await one.request(token))
  expect(again.status).toBe(200)
  expect({ ...again.body, secret: '' }).toEqual({ ...first.body, secret: '' })
  expect(again.body.secret).not.toBe(first.body.secret)
})

test('another box with a spent token waits until a person approves it; then the old one is out', async () => {
  const site = await newSite(h, 'berlin')
  const token = await tokenOf(site)
  const [one, two] = [newBox('one'), newBox('two')]
  await enrol(await one.request(token))
  const waiting = await enrol(await two.request(token))
  expect(waiting.status).toBe(202)
  expect(waiting.body).toEqual({ pending: true, code: pendingCode(boxKeys(await two.request(token))) })
  await enrol(await two.request(token)) // asking again does not make a second entry
  const { items } = (await h.ask('GET', '/sites/berlin/pending')).body
  expect(items).toMatchObject([{ code: waiting.body.code, hardware: { serial: 'two' } }])

  expect((await h.ask('POST', `/sites/berlin/pending/${items[0].id}/approve`)).status).toBe(204)
  expect(h.bus.users.has(site)).toBe(false) // connections of the old box end with its user
  expect((await enrol(await two.request(token))).status).toBe(200)
  expect(h.peers().map((peer) => peer.publicKey)).toEqual([two.wireguardKey])
  expect((await h.ask('GET', '/sites/berlin/pending')).body.items).toEqual([])
  expect((await enrol(await one.request(token))).status).toBe(202)
})

test('a fresh token on a bound site replaces its box at once', async () => {
  const site = await newSite(h, 'berlin')
  await enrol(await newBox('one').request(await tokenOf(site)))
  const two = newBox('two')
  expect((await enrol(await two.request(await tokenOf(site)))).status).toBe(200)
  expect(h.peers().map((peer) => peer.publicKey)).toEqual([two.wireguardKey])
})

test('a box that moves to another site leaves the first', async () => {
  const one = newBox()
  await enrol(await one.request(await tokenOf(await newSite(h, 'berlin'))))
  await enrol(await one.request(await tokenOf(await newSite(h, 'paris'))))
  expect(h.peers()).toEqual([{ publicKey: one.wireguardKey, allowedIps: ['fd00:1:2:2::/64'] }])
  expect((await h.ask('GET', '/sites/berlin')).body.appliance).toBeUndefined()
})

for (const { what, change, status, code } of [
  { what: 'an unknown token', change: { token: 'bhe_nobodygavethis' }, status: 401, code: 'token-unknown' },
  { what: 'a protocol from the future', change: { protocol: 99 }, status: 422, code: 'protocol-unsupported' },
  { what: 'no WireGuard key', change: { wireguardKey: 'nonsense' }, status: 400, code: 'invalid' },
])
  test(`enrolment with ${what} is refused as ${code}`, async () => {
    await newSite(h, 'berlin')
    const refused = await enrol(await newBox().request('bhe_0123456789abcdef', change))
    expect([refused.status, refused.body.code]).toEqual([status, code])
  })

test('an expired token is refused, and says when it expired', async () => {
  const token = await tokenOf(await newSite(h, 'berlin'), { expiresInSeconds: 60 })
  h.clock.advance(60_000)
  const refused = await enrol(await newBox().request(token))
  expect([refused.status, refused.body.code]).toEqual([410, 'token-expired'])
  expect(refused.body.detail).toContain('expired at 20')
})

test('a proof by another key, or of another request, is refused and spends nothing', async () => {
  const token = await tokenOf(await newSite(h, 'berlin'))
  const one = newBox()
  const good = await one.request(token)
  const foreign = await newBox().request(token)
  for (const bad of [
    { ...good, proof: foreign.proof },
    { ...good, version: '9.9.9' },
    { ...good, proof: 'x.y.z' },
    { ...good, signingKey: foreign.signingKey },
  ])
    expect((await enrol(bad)).body.code).toBe('proof-invalid')
  expect((await enrol(good)).status).toBe(200)
})

test('a revoked token is unknown', async () => {
  const token = await tokenOf(await newSite(h, 'berlin'))
  const { items } = (await h.ask('GET', '/sites/berlin/tokens')).body
  expect((await h.ask('DELETE', `/sites/berlin/tokens/${items[0].id}`)).status).toBe(204)
  expect((await enrol(await newBox().request(token))).body.code).toBe('token-unknown')
})

test('when Redis is away the box is told so, and asking again works', async () => {
  const token = await tokenOf(await newSite(h, 'berlin'))
  const request = await newBox().request(token)
  h.bus.away = true
  expect((await enrol(request)).status).toBe(503)
  h.bus.away = false
  expect((await enrol(request)).status).toBe(200)
})

test('a token that anybody may know fills the waiting list with no more than 16 boxes', async () => {
  const token = await tokenOf(await newSite(h, 'berlin'))
  await enrol(await newBox().request(token))
  for (let number = 0; number < 20; number++) {
    h.clock.advance(1)
    expect((await enrol(await newBox(`n${number}`).request(token))).status).toBe(202)
  }
  const { items } = (await h.ask('GET', '/sites/berlin/pending')).body
  expect(items).toHaveLength(16)
  expect(items[0].hardware.serial).toBe('n19')
})
