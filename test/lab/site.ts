import { join } from 'node:path'
import { ipIn, type LabNode } from './node.ts'
import type { Running } from './processes.ts'

/** The lab's internet (TEST-NET-3, RFC 5737) and the subnet that every site has. */
export const INTERNET = { manager: '203.0.113.10', prefix: 24, router: (index: number) => `203.0.113.${20 + index}` } as const
export const LAN = {
  router: '192.168.1.1',
  appliance: '192.168.1.2',
  subnet: '192.168.1.0/24',
  prefix: 24,
  from: '192.168.1.100',
  to: '192.168.1.199',
} as const

/** One location: a switch with a NAT router (.1), the appliance's box (.2) and whatever is plugged in later. */
export interface LabSite {
  readonly index: number
  readonly router: LabNode
  readonly appliance: LabNode
  /** The switch; machines run here and put their taps on its bridge `br0`. */
  readonly lan: LabNode
  /** Plugs in a light host: a namespace with `eth0`, with `address` or without any. */
  host(name: string, options?: { address?: string; mac?: string }): Promise<LabNode>
  /** A second switch, bridge `br1` in the namespace of the first, on which nothing is: what a box with two network cards serves. Once a site. */
  innerSwitch(): Promise<InnerSwitch>
  /** A DHCP server on the router, as the box of a provider has it. */
  foreignDhcp(): Running
}

/** A switch behind the box. */
export interface InnerSwitch {
  readonly bridge: string
  /** Plugs in a namespace with `eth0` up and no address. */
  host(name: string, options?: { mac?: string }): Promise<LabNode>
}

export interface SiteDeps {
  directory: string
  add(role: string, address: string): Promise<LabNode>
}

/** Something with a bridge into which boxes are plugged. */
interface Switch {
  node: LabNode
  bridge: string
  attach(role: string, address: string | undefined, options?: { interfaceName?: string; mac?: string; node?: LabNode }): Promise<LabNode>
}

export async function layInternet(deps: SiteDeps): Promise<Switch> {
  return laySwitch(deps, 'inet', INTERNET.prefix)
}

async function laySwitch(deps: SiteDeps, role: string, prefix: number): Promise<Switch> {
  return layBridge(deps, await deps.add(role, ''), prefix, { bridge: 'br0', ports: 'p' })
}

/** `ports` begins the names of its ports, unique in the namespace. */
async function layBridge(
  deps: SiteDeps,
  node: LabNode,
  prefix: number,
  { bridge, ports: letter }: { bridge: string; ports: string },
): Promise<Switch> {
  let ports = 0
  // No STP: a port forwards at once. No multicast snooping: its querier is not there to learn from.
  await ipIn(node.namespace, [`link add ${bridge} type bridge stp_state 0 mcast_snooping 0`, `link set ${bridge} up`])
  return {
    node,
    bridge,
    async attach(name, address, { interfaceName = 'eth0', mac, node: existing } = {}) {
      const box = existing ?? (await deps.add(name, address ?? ''))
      const port = `${letter}${ports++}`
      await ipIn(node.namespace, [
        `link add ${port} type veth peer name ${interfaceName}${mac === undefined ? '' : ` address ${mac}`} netns ${box.namespace}`,
        `link set ${port} master ${bridge} up`,
      ])
      await ipIn(box.namespace, [
        ...(address === undefined ? [] : [`addr add ${address}/${prefix} brd + dev ${interfaceName}`]),
        `link set ${interfaceName} up`,
      ])
      return box
    },
  }
}

export async function laySite(deps: SiteDeps, internet: Switch, index: number): Promise<LabSite> {
  const lan = await laySwitch(deps, `lan${index}`, LAN.prefix)
  const router = await internet.attach(`router${index}`, INTERNET.router(index), { interfaceName: 'wan' })
  await lan.attach(`router${index}`, LAN.router, { interfaceName: 'lan', node: router })
  await makeRouter(router, index, deps.directory)
  const withRoute = async (box: LabNode) => {
    await ipIn(box.namespace, [`route add default via ${LAN.router}`])
    return box
  }
  const appliance = await withRoute(await lan.attach(`appliance${index}`, LAN.appliance))
  return {
    index,
    router,
    appliance,
    lan: lan.node,
    async host(name, { address, mac } = {}) {
      const box = await lan.attach(`${name}${index}`, address, mac === undefined ? {} : { mac })
      return address === undefined ? box : withRoute(box)
    },
    async innerSwitch() {
      const inner = await layBridge(deps, lan.node, LAN.prefix, { bridge: 'br1', ports: 'q' })
      const { bridge } = inner
      return { bridge, host: (name, { mac } = {}) => inner.attach(`${name}${index}`, undefined, mac === undefined ? {} : { mac }) }
    },
    foreignDhcp: () =>
      dnsmasq(router, join(deps.directory, `foreign-dhcp${index}`), [
        '--no-ping',
        '--dhcp-authoritative',
        `--dhcp-range=${LAN.from},${LAN.to},1h`,
        `--dhcp-option=option:router,${LAN.router}`,
      ]),
  }
}

/** Masquerades, lets nothing in that was not asked for, and advertises itself by IPv6 as home and office routers do. */
async function makeRouter(router: LabNode, index: number, directory: string): Promise<void> {
  await router.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  await router.exec(['nft', '-f', '-'], { input: NAT })
  const prefix = `fd00:b1:${index}:`
  await ipIn(router.namespace, [`addr add ${prefix}:1/64 dev lan nodad`])
  // iPXE waits 16 s for a router advertisement where nobody sends one.
  dnsmasq(router, join(directory, `router-advertisements${index}`), ['--enable-ra', `--dhcp-range=${prefix}:,ra-only`])
}

function dnsmasq(router: LabNode, path: string, more: readonly string[]): Running {
  return router.spawn(
    'dnsmasq',
    [
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--user=root',
      '--group=root',
      '--port=0',
      '--interface=lan',
      '--bind-interfaces',
      '--pid-file=',
      `--dhcp-leasefile=${path}.leases`,
      '--log-facility=-',
      '--log-dhcp',
      ...more,
    ],
    { logFile: `${path}.log` },
  )
}

const NAT = `
table ip bridgehead {
  chain postrouting { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
  chain forward { type filter hook forward priority filter; policy drop; iifname "lan" accept; ct state established,related accept; }
  chain input { type filter hook input priority filter; policy accept; iifname "wan" ct state new drop; }
}
`
