import { join } from 'node:path'
import { createLog } from '@bridgehead/shared/log.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { z } from 'zod'
import type { Api, ApiEvent } from '../lab/api.ts'
import { TCG } from '../lab/box/boards.ts'
import type { Box } from '../lab/box/box.ts'
import { personalise } from '../lab/box/disk.ts'
import { createHome, type Home, type Wiring } from '../lab/box/home.ts'
import { type BoxImage, publish } from '../lab/box/images.ts'
import { cacheDirectory } from '../lab/cache.ts'
import { followUntil } from '../lab/follow.ts'
import { saveLogs } from '../lab/logs.ts'
import { plugIn } from '../lab/machines.ts'
import type { Machine } from '../lab/qemu.ts'
import { needRight, say } from './rig.ts'

const log = createLog({ name: 'lab', level: 'warn' })

/** Runs `task` beside a fresh manager; the logs and consoles of a failed one are kept, and the error says where. */
export async function withHome(wiring: Wiring, task: (home: Home) => Promise<void>): Promise<void> {
  await needRight()
  const home = await createHome({ wiring, bucket: join(cacheDirectory(), 'bucket'), log })
  try {
    await task(home)
  } catch (error) {
    const logs = saveLogs(home.lab.directory)
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nlogs: ${logs}`, { cause: error })
  } finally {
    await home.close()
  }
}

/** From a card as flashed, with a token of its own, to a box that the manager hears. Says how long that took. */
export async function enrolledBox(home: Home, options: Parameters<Home['box']>[0], limitMs = 300_000): Promise<Box> {
  const box = await home.box(options)
  await personalise(box.card, await home.config())
  const since = await box.powerOn()
  const { version } = await home.online(limitMs, box, since)
  say(`${box.board}: power-on to enrolled, state applied: ${formatMs(Date.now() - since)} (version ${version})`)
  return box
}

const Hash = z.object({ hash: z.string() })
const Id = z.object({ id: z.string() })

/** Offers the image's system to the home's site, at once. Returns the rollout's id. */
export async function rollOut(home: Home, image: BoxImage): Promise<string> {
  const { hash } = await home.api.send('POST', '/appliance-images/import', await publish(image, home.bucket), Hash)
  const release = await home.api.send('POST', '/releases', { image: hash, version: image.version }, Id)
  const order = { release: release.id, selector: `place=${home.site.name}`, waves: [{ percent: 100 }], stopAfterFailures: 1 }
  return (await home.api.send('POST', '/rollouts', order, Id)).id
}

/** The first fact from `after` on for which `is` holds. Throws WaitError, naming what was awaited and what was heard last. */
export async function awaitFact(api: Api, what: string, is: (event: ApiEvent) => boolean, ms: number): Promise<ApiEvent> {
  let found: ApiEvent | undefined
  const recent: string[] = []
  await followUntil(
    api,
    (event) => {
      recent.push(`${event.kind} ${JSON.stringify(event.data)}`)
      if (is(event)) found = event
      return found !== undefined
    },
    {
      ms,
      quietMs: ms,
      why: () => `waited ${Math.round(ms / 1000)} s in vain for ${what}; the last facts:\n${recent.slice(-12).join('\n')}`,
    },
  )
  if (!found) throw new Error(`the stream of facts ended before ${what}`)
  return found
}

/** A bare PC on the box's LAN, whose BIOS boots from the network, until the box told it what to do. Returns what the box decided. */
export async function bootClient(home: Home, ms = 120_000): Promise<{ machine: Machine; decision: string }> {
  const machine = await plugIn(home, { lab: home.place }, { firmware: 'bios', accelerator: TCG, bridge: home.bridge })
  const since = await machine.powerOn()
  const hosts = new Set<string>()
  const stage = await awaitFact(
    home.api,
    `the boot script of ${machine.mac} (its serial port: ${machine.serial.last(12)})`,
    (event) => {
      if (event.kind === 'host.discovered' && JSON.stringify(event.data).includes(machine.mac)) hosts.add(event.host ?? '')
      return event.kind === 'boot.stage' && event.data.stage === 'script' && hosts.has(event.host ?? '')
    },
    ms,
  )
  say(`a client of its LAN: power-on to its boot script, told to the manager: ${formatMs(Date.now() - since)}`)
  return { machine, decision: String(stage.data.detail) }
}
