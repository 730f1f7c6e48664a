import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import { z } from 'zod'
import type { Accelerator } from '../accelerator.ts'
import { createBox } from '../box/box.ts'
import { personalise } from '../box/disk.ts'
import { type Home, INNER } from '../box/home.ts'
import { createLab } from '../lab.ts'
import { ipIn, type LabNode } from '../node.ts'
import { waitFor } from '../wait.ts'
import { type Checked, fastDirectory, type Recording } from './campaign.ts'
import { renewAll } from './clients.ts'
import type { Cut } from './cuts.ts'
import { openFile } from './file-disk.ts'
import { createInspector } from './inspect.ts'
import { replay } from './replayed-disk.ts'
import { allowedVersions, anyPromised, place, type Testimony } from './witness.ts'

/** A place where a machine can be plugged in: two switches, and a machine on the inner one. */
export interface Lane {
  name: string
  node: LabNode
  bridge: string
  guest: LabNode
  directory: string
  /** Where the box's own manager is: a `bridgehead.json` with a new token, for a box that is nobody's yet. */
  newcomer?: () => Promise<unknown>
  close(): Promise<void>
}

export interface Booted {
  cut: Cut
  phase: string
  lane: string
  /** What the screen said was started. */
  version: string | undefined
  slot: string | undefined
  /** Power-on until its screen, and until every machine had its lease back. */
  screenMs: number
  servedMs: number | undefined
  leases: number
  /** It had not been enrolled when the power failed, and was afterwards. */
  enrolled: boolean
  problems: string[]
}

/**
 * The recording's own home, where its manager is. The manager cannot forget what came after the cut, so a box that it had not heard of by then
 * gets a token for a second site.
 */
export async function homeLane(home: Home): Promise<Lane> {
  const guest = await home.guest('after')
  const { subnet, address, from, to } = INNER
  const lan = { name: 'lan', subnet, address, mode: 'serve', router: address, ranges: [{ from, to }] }
  const { id } = await home.api.send('POST', '/sites', { name: 'newcomers', tags: {}, lans: [lan] }, Id)
  const newcomer = async () => {
    const { config } = await home.api.send('POST', `/sites/${id}/tokens`, {}, Token)
    return { bridgehead: 1, ...config, ...home.wires }
  }
  const { node, bridge, directory } = { node: home.place.lan, bridge: home.bridge, directory: home.lab.directory }
  return { name: 'home', node, bridge, guest, directory, newcomer, close: async () => undefined }
}
const Id = z.object({ id: z.string() })
const Token = z.object({ config: z.record(z.string(), z.unknown()) })

/** The same wires, with an uplink that gives an address and leads to nobody. */
export async function lonelyLane(log: Log): Promise<Lane> {
  const lab = await createLab({ sites: 1, log })
  try {
    const [site] = lab.sites
    if (!site) throw new Error('the lab has no site')
    site.foreignDhcp()
    await ipIn(site.appliance.namespace, ['link set eth0 down'])
    const inner = await site.innerSwitch()
    const guest = await inner.host('after')
    await ipIn(guest.namespace, [`addr add ${INNER.guest} brd + dev eth0`, `route add default via ${INNER.address}`]) // broadcasts need a route
    return { name: 'lonely', node: site.lan, bridge: inner.bridge, guest, directory: lab.directory, close: lab.close }
  } catch (error) {
    await lab.close()
    throw error
  }
}

const SCREEN = /Bridgehead (\S+), (\S+), slot ([AB])/
const IN_MEMORY = /^!! .*(data partition|memory)|working from memory/i
let boots = 0

/**
 * Cuts that are booted, as they were checked. Lanes without a manager take those that need none. Those that enrol come last, for the manager
 * cannot go back: one that asks again is given a new secret, with which the one of an earlier cut ends; and of boxes that it had not heard of
 * some have the recorded box's keys already, which belong to the site that they were enrolled at last.
 */
export async function bootCuts(
  recording: Recording,
  cuts: readonly Checked[],
  lanes: readonly Lane[],
  { accelerator, progress }: { accelerator: Accelerator; progress: (booted: Booted, done: number) => void },
): Promise<Booted[]> {
  const scratch = await mkdtemp(join(fastDirectory(), 'bridgehead-boots-'))
  const promises = place(recording.heard, recording.log.entries)
  const done: Booted[] = []
  const all = cuts.map((checked) => ({ checked, before: promises.filter(({ entry }) => entry <= checked.cut.at) }))
  const alone = all.filter(({ before }) => servesAlone(before))
  const members = all.filter(({ checked, before }) => checked.findings.member && !servesAlone(before))
  const rest = all.filter(({ checked, before }) => !checked.findings.member && !servesAlone(before))
  const enrolling = [true, false].flatMap((heardOf) => rest.filter(({ before }) => anyPromised(before) === heardOf))
  const take = (lane: Lane) => {
    if (!lane.newcomer) return alone.shift()
    return members.shift() ?? (alone.length > enrolling.length ? alone.shift() : (enrolling.shift() ?? alone.shift()))
  }
  const work = async (lane: Lane): Promise<void> => {
    const card = join(scratch, `${lane.name}.img`)
    for (let next = take(lane); next; next = take(lane)) {
      const disk = replay(recording)
      disk.cut(next.checked.cut).copyTo(card)
      disk.close()
      const booted = await bootOne({ lane, card, ...next, recording, accelerator, scratch })
      done.push(booted)
      progress(booted, done.length)
    }
  }
  try {
    await Promise.all(lanes.map(work))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return done
}

/** A box that had given an address away has all that it needs to give it again. */
const servesAlone = (before: readonly Testimony[]): boolean => before.some(({ kind }) => kind === 'lease')

interface BootOne {
  lane: Lane
  card: string
  checked: Checked
  before: readonly Testimony[]
  recording: Recording
  accelerator: Accelerator
  scratch: string
}

/**
 * Powers on, waits until every machine on the LAN has its address back and a new one got its first, pulls the plug at once, and looks at the
 * disk again: what was promised before the cut and since then is on it.
 */
async function bootOne({ lane, card, checked, before, recording, accelerator, scratch }: BootOne): Promise<Booted> {
  const { cut, phase, findings } = checked
  const directory = join(scratch, `${lane.name}-after`)
  mkdirSync(directory, { recursive: true })
  const number = (++boots).toString(16).padStart(2, '0')
  const mac = (nic: number) => `52:54:00:b1:${number}:0${nic}`
  const nics = [
    { mac: mac(0), bridge: 'br0' },
    { mac: mac(1), bridge: lane.bridge },
  ]
  if (!anyPromised(before)) await personalise(card, await lane.newcomer?.(), recording.image)
  const name = `after-cut-${number}-${cut.at}`
  const box = await createBox({ name, board: 'bios-ahci', card, nics, node: lane.node, directory: lane.directory, accelerator })
  const problems: string[] = []
  const booted: Booted = {
    ...{ cut, phase, lane: lane.name, version: undefined, slot: undefined, screenMs: 0, servedMs: undefined, leases: 0, problems },
    enrolled: !findings.member,
  }
  const since = await box.powerOn()
  let after: Testimony[] = []
  try {
    const line = await waitFor('its screen', () => box.serial.find(SCREEN), { ms: LIMIT_MS, details: () => box.serial.last(12) })
    booted.screenMs = line.at - since
    const [, version, , slot] = SCREEN.exec(line.text) ?? []
    Object.assign(booted, { version, slot })
    if (version === undefined || !allowedVersions(before).has(version)) problems.push(`version ${version} came up`)
    const leases = new Map<string, string | undefined>(before.flatMap((one) => (one.kind === 'lease' ? [[one.mac, one.ip] as const] : [])))
    booted.leases = leases.size
    const renewed = await renewAll(lane.guest, leases.set(`52:54:00:cd:00:${number}`, undefined), SERVE_MS)
    problems.push(...renewed.problems)
    after = renewed.leases
    booted.servedMs = Date.now() - since
    const trouble = box.serial.find(IN_MEMORY)
    if (trouble) problems.push(`the screen says: ${trouble.text}`)
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  } finally {
    await box.cutPower()
  }
  const left = openFile(card)
  const later = recording.heard.filter((one) => one.kind === 'version' && one.now === 'may') // its manager may have ordered them meanwhile
  const promised = [...before, ...later, ...after]
  const { problems: found } = await createInspector({ systems: recording.systems }).inspect(cut, left, promised, directory)
  left.close()
  problems.push(...found.map((text) => `afterwards: ${text}`))
  return booted
}
/** A boot takes about half a minute where QEMU has no KVM; a bad version is tried three times before. */
const LIMIT_MS = 480_000
/** From the screen on; a box may have to enrol first. */
const SERVE_MS = 120_000

/** One line for people. */
export function told({ cut, phase, lane, version, slot, screenMs, servedMs, leases, enrolled, problems }: Booted): string {
  const served = servedMs === undefined ? '' : `, ${leases} leases back and a new one after ${(servedMs / 1000).toFixed(0)} s`
  const how = problems.length === 0 ? 'well' : problems.join('; ')
  const when = `${cut.kind} cut at ${cut.at} (${phase}, ${lane})`
  return `${when}: ${version} in ${slot}, screen after ${(screenMs / 1000).toFixed(0)} s${enrolled ? ', enrols' : ''}${served}: ${how}`
}
