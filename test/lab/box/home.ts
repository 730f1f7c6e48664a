import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import { z } from 'zod'
import type { Accelerator } from '../accelerator.ts'
import type { Api } from '../api.ts'
import { createLab, type Lab } from '../lab.ts'
import { createManager, type ManagerProcess } from '../manager-process.ts'
import { ipIn, type LabNode } from '../node.ts'
import { type InnerSwitch, LAN, type LabSite } from '../site.ts'
import { waitFor } from '../wait.ts'
import type { Board } from './boards.ts'
import { type Box, createBox } from './box.ts'
import { flash } from './disk.ts'

/**
 * How a box is plugged in. `two-cards`: the uplink behind a NAT router that gives it an address by DHCP, its LAN on the other card, which it
 * serves and lets out. `one-card`: a fixed address on the router's LAN, which it serves; the router gives no addresses. `beside`: one card
 * on a LAN whose router gives the addresses, also to the box; it answers network boots only (proxy).
 */
export type Wiring = 'two-cards' | 'one-card' | 'beside'

/** The LAN behind a box with two cards. */
export const INNER = {
  subnet: '10.20.0.0/24',
  address: '10.20.0.1',
  from: '10.20.0.100',
  to: '10.20.0.199',
  guest: '10.20.0.50/24',
} as const

/** A manager, and a site whose appliance is a machine that boots the image. */
export interface Home {
  readonly lab: Lab
  readonly manager: ManagerProcess
  readonly api: Api
  readonly place: LabSite
  readonly wiring: Wiring
  /** The manager's bucket. */
  readonly bucket: string
  readonly site: { id: string; name: string }
  /** Bridge of the LAN that the box serves, in the namespace `place.lan`. */
  readonly bridge: string
  /** The box's address there. */
  readonly address: string
  /** What `bridgehead.json` must say for this wiring, besides what the manager writes. */
  readonly wires: Record<string, unknown>
  /** A whole `bridgehead.json` with a new token. */
  config(): Promise<Record<string, unknown>>
  /** A box with a freshly flashed card; a second one takes the place of the first, whose cables are the same. */
  box(options: {
    board: Board
    image: string
    gib?: number
    memoryMiB?: number
    accelerator?: Accelerator
    internal?: string
  }): Promise<Box>
  /** A namespace on the LAN, with an address outside the range that the box gives out. */
  guest(name: string): Promise<LabNode>
  /** Waits until the manager hears the box, `since` (epoch ms) or later, where another one was there before; returns its version. */
  online(ms: number, box?: Box, since?: number): Promise<{ version: string }>
  close(): Promise<void>
}

const Id = z.object({ id: z.string() })
const Token = z.object({ config: z.record(z.string(), z.unknown()) })
const Status = z.object({
  revision: z.int(),
  online: z.object({ at: z.int(), version: z.string(), revision: z.int() }).optional(),
  applied: z.object({ revision: z.int() }).optional(),
  refused: z.object({ why: z.string() }).optional(),
})

export async function createHome({ wiring, bucket, log }: { wiring: Wiring; bucket: string; log: Log }): Promise<Home> {
  const lab = await createLab({ sites: 1, log })
  try {
    const manager = await createManager(lab, { bucket })
    await manager.start()
    const api = await manager.setUp()
    const [place] = lab.sites
    if (!place) throw new Error('the lab has no site')
    await ipIn(place.appliance.namespace, ['link set eth0 down']) // the box takes its place, and its address
    const inner = wiring === 'two-cards' ? await place.innerSwitch() : undefined
    if (wiring !== 'one-card') place.foreignDhcp()
    const name = `box-${wiring}`
    const { id } = await api.send('POST', '/sites', { name, tags: { place: name }, lans: [lanOf(wiring)] }, Id)
    return homeOf({ lab, manager, api, place, wiring, bucket, inner, site: { id, name } })
  } catch (error) {
    await lab.close()
    throw error
  }
}

function lanOf(wiring: Wiring) {
  if (wiring === 'two-cards') {
    const { subnet, address, from, to } = INNER
    return { name: 'lan', subnet, address, mode: 'serve', router: address, ranges: [{ from, to }] }
  }
  const mode = wiring === 'beside' ? 'proxy' : 'serve'
  const ranges = wiring === 'beside' ? [] : [{ from: LAN.from, to: LAN.to }]
  return { name: 'lan', subnet: LAN.subnet, address: LAN.appliance, mode, router: LAN.router, ranges }
}

function wiresOf(wiring: Wiring): Record<string, unknown> {
  if (wiring === 'two-cards') return { lan: { interface: 'eth1', nat: true } }
  return wiring === 'beside' ? {} : { uplink: { address: `${LAN.appliance}/${LAN.prefix}`, gateway: LAN.router } }
}

type Parts = Pick<Home, 'lab' | 'manager' | 'api' | 'place' | 'wiring' | 'bucket' | 'site'> & { inner: InnerSwitch | undefined }

function homeOf({ lab, manager, api, place, wiring, bucket, site, inner }: Parts): Home {
  const bridge = inner?.bridge ?? 'br0'
  const wires = wiresOf(wiring)
  let boxes = 0
  let guests = 0
  return {
    ...{ lab, manager, api, place, wiring, bucket, site, bridge, wires, address: inner ? INNER.address : LAN.appliance },
    async config() {
      const { config } = await api.send('POST', `/sites/${site.id}/tokens`, {}, Token)
      return { bridgehead: 1, ...config, ...wires }
    },
    async box({ board, image, gib, ...more }) {
      const number = ++boxes
      const name = `box${number}`
      const card = join(lab.directory, `${name}.img`)
      await flash(image, card, gib)
      const mac = (nic: number) => `52:54:00:b0:${number.toString(16).padStart(2, '0')}:0${nic}`
      const nics = [{ mac: mac(0), bridge: 'br0' }, ...(inner ? [{ mac: mac(1), bridge }] : [])]
      return createBox({ name, board, card, nics, node: place.lan, directory: lab.directory, ...more })
    },
    async guest(name) {
      const last = 50 + guests++
      if (!inner) return place.host(name, { address: `192.168.1.${last}` })
      const node = await inner.host(name)
      const address = `10.20.0.${last}`
      await ipIn(node.namespace, [`addr add ${address}/24 brd + dev eth0`, `route add default via ${INNER.address}`])
      return { ...node, address }
    },
    async online(ms, box, since = 0) {
      const details = () => (box ? `its console (${box.serial.file}):\n${box.serial.last(30)}` : '')
      const seen = await waitFor(
        'the manager to hear the box, with its state applied',
        async () => {
          if (box && !box.on) throw new Error(`the machine of ${box.name} went off; ${details()}`)
          const now = await api.get(`/sites/${site.id}/state`, Status)
          if (now.refused && !now.applied) throw new Error(`the box refused its state: ${now.refused.why}`)
          return now.online && now.online.at >= since && now.applied?.revision === now.revision ? now.online : undefined
        },
        { ms, everyMs: 500, details },
      )
      return { version: seen.version }
    },
    close: lab.close,
  }
}
