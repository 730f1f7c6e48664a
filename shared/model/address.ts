import { z } from 'zod'

/** IPv4 text in dotted decimal, always canonical (`192.168.1.7`). */
export const Ipv4 = z.ipv4({ error: 'expected an IPv4 address such as 192.168.1.7' }).brand<'Ipv4'>()
export type Ipv4 = z.infer<typeof Ipv4>

/** MAC address in lower case with colons (`52:54:00:12:34:56`); upper case and dashes from people are accepted. */
export const Mac = z
  .string()
  .transform((text) => text.toLowerCase().replaceAll('-', ':'))
  .pipe(z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, 'expected a MAC address such as 52:54:00:12:34:56'))
  .pipe(z.string().brand<'Mac'>())
export type Mac = z.infer<typeof Mac>

/** IPv4 network in CIDR form without host bits (`192.168.1.0/24`). */
export const Cidr4 = z
  .cidrv4({ error: 'expected an IPv4 network such as 192.168.1.0/24' })
  .refine((text) => networkOf(text) === text, { error: 'expected a network address without host bits, such as 192.168.1.0/24' })
  .brand<'Cidr4'>()
export type Cidr4 = z.infer<typeof Cidr4>

export function ipv4ToNumber(ip: string): number {
  let value = 0
  for (const part of ip.split('.')) value = value * 256 + Number(part)
  return value
}

export function numberToIpv4(value: number): Ipv4 {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as Ipv4
}

/** First address, last address and prefix length of a network; host bits of `cidr` are ignored. */
export function bounds(cidr: string): { first: number; last: number; prefix: number } {
  const [ip = '0.0.0.0', length = '32'] = cidr.split('/')
  const prefix = Number(length)
  const size = 2 ** (32 - prefix)
  const first = Math.floor(ipv4ToNumber(ip) / size) * size
  return { first, last: first + size - 1, prefix }
}

export function contains(cidr: string, ip: string): boolean {
  const { first, last } = bounds(cidr)
  const value = ipv4ToNumber(ip)
  return value >= first && value <= last
}

export function overlaps(a: string, b: string): boolean {
  const one = bounds(a)
  const two = bounds(b)
  return one.first <= two.last && two.first <= one.last
}

/** `192.168.1.7/24` -> `192.168.1.0/24`. */
export function networkOf(cidr: string): string {
  const { first, prefix } = bounds(cidr)
  return `${numberToIpv4(first)}/${prefix}`
}

/** `24` -> `255.255.255.0`. */
export function netmask(prefix: number): Ipv4 {
  return numberToIpv4(prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0)
}

export function broadcast(cidr: string): Ipv4 {
  return numberToIpv4(bounds(cidr).last)
}
