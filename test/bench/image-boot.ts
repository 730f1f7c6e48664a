import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeGrubEnv, FRESH_MARKS, withMarks } from '@bridgehead/shared/boot/slots.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { Box } from '../lab/box/box.ts'
import { personalise, putBootFile } from '../lab/box/disk.ts'
import { createHome } from '../lab/box/home.ts'
import { applianceImage, LAB_SHELL, noopImage } from '../lab/box/images.ts'
import { startProbe } from '../lab/box/probe.ts'
import type { LabNode } from '../lab/node.ts'
import { waitFor } from '../lab/wait.ts'
import { type BenchRow, median, row } from './harness.ts'

const ROUNDS = 7
/** An idle daemon: nothing has asked it for so long. */
const IDLE_MS = 30_000
/** RAM that the daemon may take when idle, in MiB. */
const RSS_LIMIT = 70

/**
 * `image.boot`: a BIOS machine without KVM whose card was enrolled before, from power-on to its first DHCP answer, against the same machine
 * with the same image around a daemon that only listens, in turn. `image.rss`: the daemon's resident memory once it is idle and online. Its
 * snapshot, from which it starts all its life but for the first time, is made before.
 */
export async function benchImageBoot({ json }: { json: boolean }): Promise<BenchRow[]> {
  const say = (text: string) => json || process.stderr.write(`${text}\n`)
  const bucket = await mkdtemp(join(tmpdir(), 'bridgehead-bench-image-'))
  const home = await createHome({ wiring: 'two-cards', bucket, log: createLog({ name: 'bench', level: 'warn' }) })
  try {
    const ours = await home.box({ board: 'bios-ahci', image: (await applianceImage({ board: 'x86_64', overlay: LAB_SHELL })).image })
    await personalise(ours.card, await home.config())
    await ours.powerOn()
    await home.online(300_000, ours)
    await waitFor('the snapshot of the daemon', async () => ((await hasSnapshot(ours)) ? true : undefined), { ms: 240_000, everyMs: 2000 })
    await off(ours)
    const since = await ours.powerOn()
    await home.online(300_000, ours, since)
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    const rss = await residentMiB(ours, say)
    await off(ours)
    const noop = await home.box({ board: 'bios-ahci', image: (await noopImage()).image })
    await firstListening(noop) // its first boot grows the data partition, as ours did
    await off(noop)

    const client = await home.guest('client')
    const times: { ours: number[]; noop: number[] } = { ours: [], noop: [] }
    for (let round = 0; round < ROUNDS; round++) {
      times.noop.push(await firstListening(noop))
      await off(noop)
      times.ours.push(await firstAnswer(client, home.address, ours))
      await off(ours)
      say(`image.boot: to a DHCP answer ${times.ours.at(-1)?.toFixed(2)} s; to a listening no-op ${times.noop.at(-1)?.toFixed(2)} s`)
    }
    return [
      row('image.boot', 'noop', 's', median(times.ours), median(times.noop), { better: 'less' }),
      row('image.rss', 'limit', 'MiB', rss, RSS_LIMIT, { better: 'less' }),
    ]
  } finally {
    await home.close()
    await rm(bucket, { recursive: true, force: true })
  }
}

/** Seconds. */
async function firstAnswer(client: LabNode, server: string, box: Box): Promise<number> {
  const probe = startProbe(client, { server, name: 'box.internal' })
  const since = await box.powerOn()
  await waitFor('a DHCP answer', () => (probe.answers('dhcp').length > 0 ? true : undefined), { ms: 240_000, everyMs: 20 })
  const at = probe.answers('dhcp')[0] ?? 0
  await probe.stop()
  return (at - since) / 1000
}

async function firstListening(box: Box): Promise<number> {
  // it never says that it is well: the loader counts its starts, and after three of them waits a minute before the next
  await putBootFile(box.card, 'grub/grubenv', encodeGrubEnv(withMarks(new Map(), FRESH_MARKS)))
  const from = box.serial.lines.length
  const since = await box.powerOn()
  await box.waitForLine(/noop: listening/, 240_000, from)
  return ((box.serial.find(/noop: listening/, from)?.at ?? 0) - since) / 1000
}

/** After what it wrote is on the card. */
async function off(box: Box): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3000))
  await box.cutPower()
}

/** From which the daemon starts, once the box has made it; see image/README.md. A file of that name is whole. */
const hasSnapshot = async (box: Box) => (await box.shell.run('ls /data/system | grep -E "^[0-9a-f]{32}$"')).code === 0

async function residentMiB(box: Box, say: (text: string) => unknown): Promise<number> {
  const { text } = await box.shell.run('cat /proc/$(cat /run/bridgehead/daemon.pid)/status')
  const [all = 0, own, files] = ['VmRSS', 'RssAnon', 'RssFile'].map(
    (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) / 1024,
  )
  if (!(all > 0)) throw new Error(`the daemon's memory: ${text}`)
  say(`image.rss: ${all.toFixed(1)} MiB, ${own?.toFixed(1)} of its own and ${files?.toFixed(1)} of program files`)
  return all
}
