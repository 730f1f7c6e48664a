import { existsSync } from 'node:fs'
import { execa } from 'execa'
import { z } from 'zod'
import type { Nic } from './plan.ts'
import { type Actual, ROUTE_PROTOCOL } from './steps.ts'

/** What `ip` or `nft` refused; the message is theirs. */
export class NetworkError extends Error {
  readonly code = 'network'
}

const Link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  link_type: z.string(),
  address: z.string().default(''),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
})
const Addresses = z.object({
  ifname: z.string().optional(),
  addr_info: z.array(z.object({ family: z.string().optional(), local: z.string().optional(), prefixlen: z.int().optional() })).default([]),
})
const RouteEntry = z.object({ dst: z.string(), gateway: z.string().optional(), dev: z.string(), prefsrc: z.string().optional() })

/** Kinds of interfaces that are cards: real ones have none; `veth` is what a card is inside a namespace. */
const CARDS = new Set([undefined, 'veth'])

export async function readLinks(): Promise<{ nics: Nic[]; links: Actual['links'] }> {
  const links = z.array(Link).parse(JSON.parse(await ip('-j', '-d', 'link', 'show')))
  const nics = links.filter((link) => link.link_type === 'ether' && CARDS.has(link.linkinfo?.info_kind))
  return {
    nics: nics
      .map((link) => ({
        name: link.ifname,
        mac: link.address,
        wifi: existsSync(`/sys/class/net/${link.ifname}/phy80211`),
        carrier: link.flags.includes('LOWER_UP'),
      }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    links: links.map((link) => ({ name: link.ifname, up: link.flags.includes('UP'), vlan: link.linkinfo?.info_kind === 'vlan' })),
  }
}

export async function readAddresses(): Promise<Actual['addresses']> {
  const found = z.array(Addresses).parse(JSON.parse(await ip('-j', '-4', 'address', 'show')))
  return found.flatMap(({ ifname, addr_info }) =>
    addr_info.flatMap(({ local, prefixlen }) =>
      ifname === undefined || local === undefined || prefixlen === undefined ? [] : [{ device: ifname, address: `${local}/${prefixlen}` }],
    ),
  )
}

/** Ours alone. */
export async function readRoutes(): Promise<Actual['routes']> {
  const text = await ip('-j', '-4', 'route', 'show', 'proto', ROUTE_PROTOCOL)
  const found = z.array(RouteEntry).parse(text.trim() === '' ? [] : JSON.parse(text))
  return found.map(({ dst, gateway, dev, prefsrc }) => ({
    to: dst === 'default' || dst.includes('/') ? dst : `${dst}/32`,
    via: gateway,
    device: dev,
    source: prefsrc,
  }))
}

/** Throws NetworkError with the program's own words. */
export async function ip(...args: string[]): Promise<string> {
  return run('ip', args)
}

/** One transaction: all of `rules`, or none. */
export async function nft(rules: string): Promise<void> {
  await run('nft', ['-f', '-'], rules)
}

async function run(file: string, args: readonly string[], input?: string): Promise<string> {
  const result = await execa(file, args, {
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    timeout: 15_000,
    reject: false,
  })
  if (!result.failed) return result.stdout
  const said = (result.stderr ?? '').trim() || (result.shortMessage ?? '')
  throw new NetworkError(`${file} ${args.join(' ')}: ${said}`)
}
