import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, startHarness } from '../harness.ts'

let h: Harness
let site: string
beforeEach(async () => {
  h = await startHarness()
  const records = [
    { name: 'nas', type: 'A', value: '192.168.1.9' },
    { name: '_http._tcp', type: 'SRV', value: '0 5 80 nas' },
    { name: 'bad', type: 'A', value: 'nowhere' },
  ]
  site = await newSite(h, 'berlin', 'acme', { dns: { zone: 'internal', records } })
})
afterEach(() => h.close())

const MAC = '52:54:00:00:00:01'
const lease = (ip: string, mac: string, hostname?: string, host?: string) =>
  h.fact('dhcp.lease', { mac: mac as never, ip: ip as never, lan: 'lan', until: 5_000, ...(hostname ? { hostname } : {}) }, host)

test('leases come by address, with the host that has the MAC', async () => {
  const host = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: [MAC] })).body.id
  await h.manager.ingest(site, [lease('192.168.1.100', '52:54:00:00:00:02', 'phone'), lease('192.168.1.20', MAC)])
  expect((await h.ask('GET', '/sites/berlin/leases')).body.items).toEqual([
    { lan: 'lan', ip: '192.168.1.20', mac: MAC, until: 5_000, host: { id: host, name: 'n1' } },
    { lan: 'lan', ip: '192.168.1.100', mac: '52:54:00:00:00:02', hostname: 'phone', until: 5_000 },
  ])
})

test("the same MAC at another site is not this site's host", async () => {
  await newSite(h, 'paris')
  await h.ask('POST', '/hosts', { site: 'paris', name: 'n1', macs: [MAC] })
  await h.manager.ingest(site, [lease('192.168.1.20', MAC)])
  expect((await h.ask('GET', '/sites/berlin/leases')).body.items).toEqual([{ lan: 'lan', ip: '192.168.1.20', mac: MAC, until: 5_000 }])
})

test('names are those that the DNS of the site answers; what it leaves out is told', async () => {
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: [MAC], ip: '192.168.1.20' })
  await h.manager.ingest(site, [lease('192.168.1.100', '52:54:00:00:00:02', 'Phone'), lease('192.168.1.101', '52:54:00:00:00:03', 'n1')])
  const { items, problems } = (await h.ask('GET', `/sites/${site}/names`)).body
  expect(items).toEqual([
    { name: '_http._tcp.internal', type: 'SRV', value: '0 5 80 nas.internal', from: 'record' },
    { name: 'dns.internal', type: 'A', value: '192.168.1.2' },
    { name: 'internal', type: 'NS', value: 'dns.internal' },
    { name: 'n1.internal', type: 'A', value: '192.168.1.20', from: 'host' },
    { name: 'nas.internal', type: 'A', value: '192.168.1.9', from: 'record' },
    { name: 'phone.internal', type: 'A', value: '192.168.1.100', from: 'lease' },
    { name: '100.1.168.192.in-addr.arpa', type: 'PTR', value: 'phone.internal', from: 'lease' },
    { name: '20.1.168.192.in-addr.arpa', type: 'PTR', value: 'n1.internal', from: 'host' },
  ])
  expect(problems).toEqual([
    { name: 'bad', why: 'expected an IPv4 address, got "nowhere"' },
    { name: 'n1', why: 'a lease may not take this name' },
  ])
})

test('services are told from the sign of presence, the state and the newest facts', async () => {
  const services = async () => {
    const { items, foreignServers } = (await h.ask('GET', '/sites/berlin/services')).body
    const said = Object.fromEntries(items.map((one: { service: string; state: string }) => [one.service, one.state]))
    return { said, foreignServers }
  }
  expect((await services()).said).toMatchObject({ dhcp: 'off', uplink: 'off' })
  const { token } = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config
  await h.ask('POST', '/enrol', await newBox().request(token), null)
  expect((await services()).said).toMatchObject({ dhcp: 'unknown', uplink: 'attention' })

  const health = { ok: false, services: { dhcp: 'ok', dns: 'ok', tftp: 'is silent', http: 'ok' }, uplink: 'ok' as const }
  h.bus.online.set(site, { at: h.clock.now(), version: '0.1.0', revision: 1, outbox: 0, counters: {}, health })
  await h.manager.ingest(site, [h.fact('dhcp.foreign-server', { lan: 'lan', server: '192.168.1.1' as never, blocked: true })])
  expect(await services()).toEqual({
    said: { dhcp: 'attention', dns: 'ok', pxe: 'attention', ssh: 'unknown', network: 'off', workload: 'off', uplink: 'ok' },
    foreignServers: [{ lan: 'lan', server: '192.168.1.1', blocked: true, lastSeen: h.clock.now() }],
  })
  h.bus.away = true
  expect((await services()).said).toMatchObject({ dhcp: 'unknown', uplink: 'unknown', network: 'off' })
})
