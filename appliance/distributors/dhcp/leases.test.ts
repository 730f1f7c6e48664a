import { type Ipv4, ipv4ToNumber, type Mac } from '@bridgehead/shared/model/address.ts'
import { Lan } from '@bridgehead/shared/model/state.ts'
import { describe, expect, test } from 'vitest'
import { openStore, type Store } from '../../store/store.ts'
import type { Ask } from './decide.ts'
import { createLeaseBook, type LeaseBook } from './leases.ts'

const ip = (last: number) => ipv4ToNumber(`10.0.0.${last}`)
const A = '02:00:00:00:00:0a' as Mac
const B = '02:00:00:00:00:0b' as Mac
const LAN = Lan.parse({
  name: 'lan',
  subnet: '10.0.0.0/24',
  address: '10.0.0.1',
  router: '10.0.0.12',
  mode: 'serve',
  ranges: [{ from: '10.0.0.10', to: '10.0.0.13' }],
})
const DISCOVER: Ask = { type: 'discover', ciaddr: 0, unicast: false }
const lease = (mac: Mac, last: number, until = 100_000, hostname?: string) => ({ mac, ip: ip(last), client: '', hostname, until })

function open(reservations: Record<string, string> = {}, lan = LAN) {
  const store = openStore(':memory:')
  const reserved = new Set(Object.values(reservations))
  const book = createLeaseBook(store.db, lan, {
    reservation: (mac) => reservations[mac] as Ipv4 | undefined,
    reserved: (address) => reserved.has(address),
  })
  return { store, book }
}
const again = (store: Store, lan = LAN): LeaseBook =>
  createLeaseBook(store.db, lan, { reservation: () => undefined, reserved: () => false })
const fresh = (book: LeaseBook, mac: Mac) => book.situation(mac, DISCOVER).fresh

test('what was bound and declined is there after a restart, what was offered is not', () => {
  const { store, book } = open()
  book.offer(A, ip(10), 50_000)
  book.bind(lease(B, 11, 100_000, 'host-b'))
  book.decline(A, ip(13), 90_000)
  const next = again(store)
  expect(next.all()).toEqual([
    { mac: B, ip: ip(11), client: '', hostname: 'host-b', state: 'bound', until: 100_000 },
    { mac: A, ip: ip(13), client: '', hostname: undefined, state: 'declined', until: 90_000 },
  ])
  expect(next.counts()).toEqual({ size: 3, free: 1 }) // .12 is the router
})

test('one machine keeps one lease: a new address frees the old one', () => {
  const { store, book } = open()
  expect(book.bind(lease(A, 10))).toEqual({ news: true, left: undefined })
  expect(book.bind(lease(A, 11))).toEqual({ news: true, left: ip(10) })
  expect(book.leaseOf(A)?.ip).toBe(ip(11))
  expect(
    again(store)
      .all()
      .map((one) => one.ip),
  ).toEqual([ip(11)])
})

test('a renewal is no news, a new host name is', () => {
  const { book } = open()
  book.bind(lease(A, 10, 100_000, 'a'))
  expect(book.bind(lease(A, 10, 200_000, 'a')).news).toBe(false)
  expect(book.bind(lease(A, 10, 200_000, 'b')).news).toBe(true)
})

test('an offer holds its address, lapses, and leaves a lease alone', () => {
  const { book } = open()
  book.bind(lease(A, 10))
  book.offer(A, ip(11), 30_000)
  expect(fresh(book, B)).toBe(ip(13))
  expect(book.expire(30_000)).toEqual([])
  expect(book.leaseOf(A)?.ip).toBe(ip(10))
  expect(book.counts().free).toBe(2)
})

test('a lease that ran out is returned once, and its address remembered for its machine until another gets it', () => {
  const { store, book } = open()
  book.bind(lease(A, 10, 60_000))
  expect(book.expire(50_000)).toEqual([])
  expect(book.expire(60_000).map((one) => one.mac)).toEqual([A])
  expect(book.expire(70_000)).toEqual([])
  expect(again(store).all()).toEqual([])
  expect(book.situation(A, DISCOVER).held).toEqual({ ip: ip(10), past: true, standing: 'free' })
  book.bind(lease(B, 10))
  expect(book.situation(A, DISCOVER).held).toBeUndefined()
})

test('a renewed lease does not run out at its old time', () => {
  const { book } = open()
  book.bind(lease(A, 10, 60_000))
  book.bind(lease(A, 10, 200_000))
  expect(book.expire(60_000)).toEqual([])
  expect(book.expire(200_000).map((one) => one.mac)).toEqual([A])
})

test('a declined address is nobody’s until its quarantine ends', () => {
  const { book } = open()
  book.bind(lease(A, 10))
  book.decline(A, ip(10), 60_000)
  expect(book.leaseOf(A)).toBeUndefined()
  expect(book.situation(A, { ...DISCOVER, requested: ip(10) }).named).toBe('taken')
  book.expire(60_000)
  expect(book.situation(A, { ...DISCOVER, requested: ip(10) }).named).toBe('free')
})

test('a clock put forward does not end leases', () => {
  const { store, book } = open()
  book.bind(lease(A, 10, 60_000))
  book.postpone(1_000_000)
  expect(book.expire(1_000_000)).toEqual([])
  expect(again(store).leaseOf(A)?.until).toBe(1_060_000)
})

test('after a failed commit the disk is believed', () => {
  const { store, book } = open()
  book.bind(lease(A, 10))
  store.db.exec('BEGIN')
  book.bind(lease(B, 11))
  store.db.exec('ROLLBACK')
  book.reload()
  expect(book.leaseOf(B)).toBeUndefined()
  expect(book.leaseOf(A)?.ip).toBe(ip(10))
  expect(book.counts().free).toBe(2)
})

test('an address that another server gave on is taken from its former holder', () => {
  const { store, book } = open()
  book.bind(lease(A, 10))
  book.bind(lease(B, 10))
  expect(book.leaseOf(A)).toBeUndefined()
  expect(
    again(store)
      .all()
      .map((one) => one.mac),
  ).toEqual([B])
})

describe('how an address stands', () => {
  const reservations = { [A]: '10.0.0.11', [B]: '10.0.0.200' }
  for (const { what, mac, address, is } of [
    { what: 'one of the pool', mac: A, address: ip(13), is: 'free' },
    { what: "the machine's lease", mac: B, address: ip(10), is: 'own' },
    { what: "another's lease", mac: A, address: ip(10), is: 'taken' },
    { what: 'its own reservation in a range', mac: A, address: ip(11), is: 'free' },
    { what: "another's reservation in a range", mac: B, address: ip(11), is: 'taken' },
    { what: 'its own reservation outside the ranges', mac: B, address: ip(200), is: 'free' },
    { what: "another's reservation outside the ranges", mac: A, address: ip(200), is: 'unusable' },
    { what: "the appliance's own address", mac: A, address: ip(1), is: 'unusable' },
    { what: 'the router', mac: A, address: ip(12), is: 'unusable' },
    { what: 'the broadcast address', mac: A, address: ip(255), is: 'unusable' },
    { what: 'an address of another network', mac: A, address: ipv4ToNumber('10.0.1.10'), is: 'elsewhere' },
  ])
    test(`${what} is ${is}`, () => {
      const { book } = open(reservations)
      book.bind(lease(B, 10))
      expect(book.situation(mac, { ...DISCOVER, requested: address }).named).toBe(is)
    })
})

test('the pool passes over reserved addresses', () => {
  const { book } = open({ [A]: '10.0.0.10' })
  expect(fresh(book, B)).toBe(ip(11))
})

test('a lease outside today’s ranges lasts, but a machine that starts anew moves into them', () => {
  const { book } = open()
  book.bind(lease(A, 99))
  expect(book.situation(A, { type: 'request', ciaddr: ip(99), unicast: true }).named).toBe('own')
  const { held, fresh: next } = book.situation(A, DISCOVER)
  expect(held?.past).toBe(true)
  expect(next).toBe(ip(10))
})
