import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { decodeGrubEnv, marksOf } from '@bridgehead/shared/boot/slots.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { execa } from 'execa'
import { beforeAll, expect, test } from 'vitest'
import type { ApiEvent } from '../lab/api.ts'
import type { Box } from '../lab/box/box.ts'
import { bootFile, partition, personalise, putBootFile, readAt, writeAt } from '../lab/box/disk.ts'
import { applianceImage, LAB_SHELL } from '../lab/box/images.ts'
import { type Probe, SERVICES, startProbe } from '../lab/box/probe.ts'
import { waitFor } from '../lab/wait.ts'
import { awaitFact, enrolledBox, withHome } from './image-rig.ts'
import { say } from './rig.ts'

/** A kill must not be felt for longer, by no service. */
const OUTAGE_MS = 5000
const KILLS = 5
const MEBIBYTE = 2 ** 20

let image: string
beforeAll(async () => {
  image = (await applianceImage({ board: 'x86_64', overlay: LAB_SHELL })).image
})

test('the daemon killed, wedged and leaking comes back by itself; a wedged supervisor is the watchdog’s', async () => {
  await withHome('two-cards', async (home) => {
    const box = await enrolledBox(home, { board: 'bios-ahci', image })
    const probe = startProbe(await home.guest('guest'), { server: home.address, name: `box.${home.site.name}.internal` })
    await answers(probe, Date.now())

    await settled(box)
    for (let time = 1; time <= KILLS; time++) {
      const before = await daemon(box)
      const since = Date.now()
      await box.shell.run(`kill -9 ${before}`)
      await answers(probe, since)
      expect(await daemon(box)).not.toBe(before)
      say(`killed, time ${time}: its LAN was without answers for ${each(probe, since)}`)
      expect(longest(probe, since)).toBeLessThan(OUTAGE_MS)
      await settled(box)
    }

    const wedged = Date.now()
    const before = await daemon(box)
    await box.shell.run(`kill -STOP ${before}`)
    await silent(probe, wedged)
    await answers(probe, Date.now(), 60_000)
    say(`wedged: its LAN was without answers for ${each(probe, wedged)}`)
    expect(await daemon(box)).not.toBe(before)
    await settled(box)

    const leaking = await daemon(box)
    await leak(box, leaking)
    await waitFor('the supervisor to end a daemon that leaks', async () => ((await daemon(box)) === leaking ? undefined : true), {
      ms: 120_000,
      everyMs: 1000,
    })
    await answers(probe, Date.now(), 60_000)

    await home.online(60_000, box)
    const resets = () => box.events.filter(({ event }) => event === 'RESET').length
    const seen = resets()
    const hung = Date.now()
    await box.shell.run(`kill -STOP $(pidof supervisor) ${await daemon(box)}`)
    await waitFor('the watchdog to reset the machine', () => (resets() > seen ? true : undefined), { ms: 90_000 })
    say(`daemon and supervisor wedged: the watchdog reset the machine after ${formatMs(Date.now() - hung)}`)
    await answers(probe, Date.now(), 180_000)
    await home.online(180_000, box)
    await probe.stop()
  })
})

test('a full, a read-only and a ruined data partition: the LAN is served all the same, and the screen says so', async () => {
  await withHome('two-cards', async (home) => {
    const box = await enrolledBox(home, { board: 'bios-ahci', image, gib: 1 })
    const guest = await home.guest('guest')
    const probe = startProbe(guest, { server: home.address, name: `box.${home.site.name}.internal` })
    await answers(probe, Date.now())

    await box.shell.run('dd if=/dev/zero of=/data/filler bs=1M; sync', { ms: 120_000 })
    await answers(probe, Date.now())
    await box.waitForLine(/data partition is full/, 60_000, 0)
    await box.waitForLine(/What to do: assign fewer profiles/, 10_000, 0)
    const full = await awaitFact(home.api, 'the word of the full disk', dataIs('full', 'memory'), 60_000)
    await box.shell.run('rm /data/filler; sync')
    await awaitFact(home.api, 'the word of its room', (event) => event.at > full.at && (dataIs('ok')(event) || startsOnDisk(event)), 90_000)
    await answers(probe, Date.now())

    await box.shell.run('sync')
    await box.cutPower()
    await letWrite(box, false)
    const readOnly = box.serial.lines.length
    await box.powerOn()
    await answers(probe, Date.now(), 180_000)
    await box.waitForLine(/read-only/i, 60_000, readOnly)
    await box.cutPower()
    await letWrite(box, true)

    await writeAt(box.card, (await partition(box.card, 'data')).offset, randomBytes(8 * MEBIBYTE))
    const ruined = box.serial.lines.length
    await box.powerOn()
    await box.waitForLine(/data partition was damaged/, 180_000, ruined)
    await box.waitForLine(/waits for somebody to type/, 120_000, ruined) // without its store it belongs to no site, and begins anew
    await box.cutPower()
    const { offset } = await partition(box.card, 'data')
    await writeAt(box.card, offset, await ofNewerRelease(box))
    const newer = box.serial.lines.length
    const before = await headOf(box)
    await box.powerOn()
    await box.waitForLine(/a newer release made the file system/, 180_000, newer)
    await box.cutPower()
    expect((await headOf(box)).equals(before), 'nobody wrote to what this release does not understand').toBe(true)
    await probe.stop()
  })
})

const headOf = async ({ card }: Box) => readAt(card, (await partition(card, 'data')).offset, 64 * MEBIBYTE)

/** The first block of its data partition, with a feature that nothing knows. */
async function ofNewerRelease(box: Box): Promise<Buffer> {
  const file = `${box.card}.head`
  await writeFile(file, await headOf(box))
  await execa('debugfs', ['-w', '-R', 'set_super_value feature_incompat 0x400022c2', file], { env: TOOLS })
  const block = (await readFile(file)).subarray(0, 4096)
  await rm(file)
  return block
}

/** By a feature of ext4: who obeys it may read and must not write. It is not set while the journal has something to say. */
async function letWrite({ card }: Box, may: boolean): Promise<void> {
  const { offset, bytes } = await partition(card, 'data')
  const file = `${card}.data` // e2fsck loses its way in a whole disk as soon as it has a journal to replay
  const [at, count] = [offset / MEBIBYTE, Math.ceil(bytes / MEBIBYTE)]
  await execa('dd', [`if=${card}`, `of=${file}`, 'bs=1M', `skip=${at}`, `count=${count}`, 'conv=sparse'])
  const { exitCode = 8, stdout } = await execa('e2fsck', ['-p', file], { reject: false, env: TOOLS })
  if (exitCode >= 4) throw new Error(`e2fsck: ${stdout}`)
  await execa('tune2fs', ['-O', may ? '^read-only' : 'read-only', file], { env: TOOLS })
  await execa('dd', [`if=${file}`, `of=${card}`, 'bs=1M', `seek=${at}`, 'conv=notrunc'])
  await rm(file)
}
const TOOLS = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }

test('a rotten system A: B runs, the manager hears of it, A is repaired; both rotten: GRUB says so', async () => {
  await withHome('two-cards', async (home) => {
    const box = await enrolledBox(home, { board: 'bios-ahci', image })
    await awaitFact(home.api, 'the empty slot B to be filled', filled('B'), 180_000)
    await waitFor('slot B to be marked good', async () => ((await marks(box)).B.ok ? true : undefined), { ms: 30_000 })
    await box.cutPower()

    const [a, b] = [await partition(box.card, 'slot-a'), await partition(box.card, 'slot-b')]
    const good = await readAt(box.card, a.offset, 64 * MEBIBYTE)
    await writeAt(box.card, a.offset, randomBytes(64 * MEBIBYTE))
    const since = Date.now()
    await box.powerOn()
    await awaitFact(home.api, 'the start from slot B', (event) => event.kind === 'appliance.started' && event.data.slot === 'B', 240_000)
    say(`system A rotten: from power-on to B's word at the manager ${formatMs(Date.now() - since)}`)
    await awaitFact(home.api, 'slot A to be repaired', filled('A'), 240_000)
    await box.cutPower()
    expect((await readAt(box.card, a.offset, 64 * MEBIBYTE)).equals(good)).toBe(true)

    await writeAt(box.card, a.offset, randomBytes(MEBIBYTE))
    await writeAt(box.card, b.offset, randomBytes(MEBIBYTE))
    await box.powerOn()
    await box.waitForLine(/both systems on this card are damaged/, 180_000)
    await box.cutPower()
  })
})

test('a half-edited bridgehead.json: line and field on the screen; once it is right, the box goes on by itself', async () => {
  await withHome('two-cards', async (home) => {
    const box = await home.box({ board: 'bios-ahci', image })
    const config = await home.config()
    await personalise(box.card, config)
    const half = `{\n  "bridgehead": 1,\n  "manager": ${JSON.stringify(config.manager)},\n  "tokn": "x",\n  "lan": {\n`
    await putBootFile(box.card, 'bridgehead.json', half)
    await box.powerOn()
    await box.waitForLine(/bridgehead\.json.*line 6/, 180_000, 0)
    const boot = 'mount -o remount,rw /boot'
    await box.shell.run(`${boot}; echo '${JSON.stringify({ ...config, tokn: 'x' })}' >/boot/bridgehead.json; mount -o remount,ro /boot`)
    await box.waitForLine(/tokn/, 30_000)
    await box.shell.run(`${boot}; echo '${JSON.stringify(config)}' >/boot/bridgehead.json; mount -o remount,ro /boot`)
    await home.online(120_000, box)
    await box.cutPower()
    expect((await bootFile(box.card, 'bridgehead.json')).toString()).not.toContain('bhe_')
  })
})

const marks = async (box: Box) => marksOf(decodeGrubEnv(await bootFile(box.card, 'grub/grubenv')))

const filled = (slot: 'A' | 'B') => (event: { kind: string; data: Record<string, unknown> }) =>
  event.kind === 'appliance.slot-repaired' && event.data.slot === slot

async function daemon(box: Box): Promise<string> {
  return (await box.shell.run('cat /run/bridgehead/daemon.pid')).text.trim()
}

/** All services answer, after `since`. */
async function answers(probe: Probe, since: number, ms = 30_000): Promise<void> {
  const silentOnes = () => SERVICES.filter((service) => (probe.answers(service).at(-1) ?? 0) <= since + 1000)
  const all = () => (silentOnes().length === 0 ? true : undefined)
  await waitFor('all services of the box to answer on its LAN', all, { ms, details: () => `silent: ${silentOnes().join(', ')}` })
}

async function silent(probe: Probe, since: number): Promise<void> {
  await waitFor('the box to fall silent', () => (probe.longestSilence('dhcp', since) > 3000 ? true : undefined), { ms: 30_000 })
}

const longest = (probe: Probe, since: number) => Math.max(...SERVICES.map((service) => probe.longestSilence(service, since)))
const each = (probe: Probe, since: number) =>
  SERVICES.map((service) => `${service} ${formatMs(probe.longestSilence(service, since))}`).join(', ')

const dataIs =
  (...states: string[]) =>
  ({ kind, data }: ApiEvent) =>
    kind === 'appliance.data' && states.includes(String(data.state))
const startsOnDisk = ({ kind, data }: ApiEvent) => kind === 'appliance.started' && data.dataState === 'ok'

/** The supervisor's back-off is at its beginning again, the daemon's watch is armed, and its snapshot was made. */
async function settled(box: Box): Promise<void> {
  await box.shell.run('sleep 20', { ms: 40_000 })
}

/** By the debugger of Node, which a signal opens: 20 MiB ten times a second, never given back. */
async function leak(box: Box, pid: string): Promise<void> {
  const expression = 'globalThis.leak = []; setInterval(() => leak.push(Buffer.alloc(20 * 2 ** 20, 1)), 100)'
  const script = `
const [{ webSocketDebuggerUrl }] = await (await fetch("http://127.0.0.1:9229/json")).json()
const socket = new WebSocket(webSocketDebuggerUrl)
socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: ${JSON.stringify(expression)} } }))
socket.onmessage = () => process.exit(0)`
  await box.shell.run(`kill -USR1 ${pid}; sleep 2; node --input-type=module -e '${script.replaceAll('\n', ';')}'`)
}
