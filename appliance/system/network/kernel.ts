import { existsSync } from 'node:fs'
import { runProgram } from '@bridgehead/shared/program.ts'
import { z } from 'zod'
import type { Nic } from './plan.ts'
import { type Actual, type ActualRoute, ROUTE_PROTOCOL } from './steps.ts'

/** What `ip` or `nft` refused; the message is theirs. */
export class NetworkError extends Error {
  readonly code = 'network'
}

const Interface = z.object({
  ifname: z.string().default(''),
  flags: z.array(z.string()).default([]),
  link_type: z.string().default(''),
  address: z.string().default(''),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
  addr_info: z.array(z.object({ family: z.string().optional(), local: z.string().optional(), prefixlen: z.int().optional() })).default([]),
})
const RouteEntry = z.object({ dst: z.string(), gateway: z.string().optional(), dev: z.string(), prefsrc: z.string().optional() })

/** Kinds of interfaces that are cards: real ones have none; `veth` is what a card is inside a namespace. */
const CARDS = new Set([undefined, 'veth'])

export async function readInterfaces(): Promise<{ nics: Nic[]; actual: Actual }> {
  const all = z.array(Interface).parse(JSON.parse(await ip('-j', '-d', 'address', 'show')))
  const cards = all.filter((one) => one.link_type === 'ether' && CARDS.has(one.linkinfo?.info_kind))
  const nics = cards.map((one) => ({
    name: one.ifname,
    mac: one.address,
    wifi: existsSync(`/sys/class/net/${one.ifname}/phy80211`),
    carrier: one.flags.includes('LOWER_UP'),
  }))
  const addresses = all.flatMap(({ ifname, addr_info }) =>
    addr_info.flatMap(({ family, local, prefixlen }) =>
      family !== 'inet' || local === undefined || prefixlen === undefined ? [] : [{ device: ifname, address: `${local}/${prefixlen}` }],
    ),
  )
  return {
    nics: nics.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    actual: {
      links: all.map((one) => ({ name: one.ifname, up: one.flags.includes('UP'), vlan: one.linkinfo?.info_kind === 'vlan' })),
      addresses,
    },
  }
}

/** Ours alone. */
export async function readRoutes(): Promise<ActualRoute[]> {
  const text = await ip('-j', '-4', 'route', 'show', 'proto', ROUTE_PROTOCOL)
  const found = z.array(RouteEntry).parse(text.trim() === '' ? [] : JSON.parse(text))
  return found.map(({ dst, gateway, dev, prefsrc }) => ({
    to: dst === 'default' || dst.includes('/') ? dst : `${dst}/32`,
    via: gateway,
    device: dev,
    source: prefsrc,
  }))
}

/** Runs `ip` once for all of `steps`, in order; the first that fails ends it. Throws NetworkError with the program's own words. */
export async function takeSteps(steps: readonly (readonly string[])[]): Promise<void> {
  await run('ip', ['-batch', '-'], steps.map((step) => `${step.join(' ')}\n`).join(''))
}

async function ip(...args: string[]): Promise<string> {
  return run('ip', args)
}

/** One transaction: all of `rules`, or none. */
export async function nft(rules: string): Promise<void> {
  await run('nft', ['-f', '-'], rules)
}

async function run(file: string, args: readonly string[], input?: string): Promise<string> {
  const result = await runProgram(file, args, { input, env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` } })
  if (!result.failed) return result.stdout
  const said = result.stderr.trim() || result.how
  throw new NetworkError(`${file} ${args.join(' ')}: ${said}`)
}
