import { join } from 'node:path'
import { createLog } from '@bridgehead/shared/log.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TCG } from '../lab/box/boards.ts'
import { createHome, type Home } from '../lab/box/home.ts'
import { applianceImage, type BoxImage, brokenImage } from '../lab/box/images.ts'
import { cacheDirectory } from '../lab/cache.ts'
import { saveLogs } from '../lab/logs.ts'
import { type Booted, bootCuts, homeLane, type Lane, lonelyLane, told } from '../lab/powercut/boots.ts'
import { type CampaignReport, type Checked, type Recording, runCampaign, summary } from '../lab/powercut/campaign.ts'
import { type Cut, evenly, planCuts, seeded } from '../lab/powercut/cuts.ts'
import { type Recorder, startRecording } from '../lab/powercut/recording.ts'
import { rollOut } from './image-rig.ts'
import { needRight, say } from './rig.ts'

const CUTS = 2_200
const BOOTS = 40
/** The same cuts at each run, but for what the machine writes. */
const SEED = 20_261_122
/** What decides whether a box starts lies in front: partition table, GRUB, its environment, `bridgehead.json`. */
const BOOT_END = 66 * 2 ** 20

const log = createLog({ name: 'lab', level: 'warn' })
let home: Home
let recording: Recording
let report: CampaignReport

beforeAll(async () => {
  await needRight()
  const [first, second, bad] = [
    await applianceImage({ board: 'x86_64' }),
    await applianceImage({ board: 'x86_64', version: '0.1.1' }),
    await brokenImage('0.1.2'),
  ]
  home = await createHome({ wiring: 'two-cards', bucket: join(cacheDirectory(), 'bucket'), log })
  try {
    const recorder = await startRecording({ home, image: first.image, version: first.version, accelerator: TCG })
    await live(recorder, second, bad)
    recording = await recorder.finish(new Map([second, bad].map(({ version, slot }) => [version, slot])))
  } catch (error) {
    const logs = saveLogs(home.lab.directory)
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nlogs: ${logs}`, { cause: error })
  }
  const { entries } = recording.log
  const flushes = entries.filter(({ kind }) => kind === 'flush').length
  const promises = recording.heard.filter(({ kind }) => kind !== 'phase').length
  say(`recorded: ${entries.length} orders to the disk, ${flushes} of them flushes; ${promises} promises were heard`)
})

afterAll(async () => {
  recording?.log.close()
  await home?.close()
})

/** A box's life: comes up, enrols, serves, takes a release, goes back from a bad one, serves on. */
async function live(recorder: Recorder, second: BoxImage, bad: BoxImage): Promise<void> {
  const began = Date.now()
  await home.online(300_000, recorder.box)
  say(`first boot and enrolment: ${formatMs(Date.now() - began)}`)
  recorder.phase('normal work')
  say(`normal work: ${await recorder.clients({ clients: 80, perSecond: 4, ms: 60_000 })} leases given`)

  recorder.phase('update')
  recorder.ordered(second.version)
  await rollOut(home, second)
  const phase = (name: string, { version }: BoxImage) =>
    recorder.fact(
      `${version} to be ${name}`,
      ({ kind, data }) => kind === 'appliance.update' && data.phase === name && data.version === version,
      600_000,
    )
  await phase('switched', second)
  recorder.phase('trial and commit')
  await phase('committed', second)
  recorder.phase('work after the update')
  await recorder.clients({ clients: 90, perSecond: 4, ms: 20_000 })

  recorder.phase('bad update and fall-back')
  recorder.ordered(bad.version)
  await rollOut(home, bad)
  await phase('rolled-back', bad)
  recorder.phase('work after the fall-back')
  await recorder.clients({ clients: 90, perSecond: 4, ms: 20_000 })
  say(`the whole life took ${formatMs(Date.now() - began)}`)
}

test('at 2,000 power cuts and more, the disk holds a system that starts and all that was promised', async () => {
  const random = seeded(SEED)
  const cuts = planCuts(recording.log.entries, { count: CUTS, random, precious: ({ offset }) => offset < BOOT_END })
  report = await runCampaign(recording, cuts)
  for (const line of summary(report)) say(line)
  expect(report.checked.length).toBeGreaterThanOrEqual(2_000)
  expect(report.checked.filter(({ findings }) => findings.problems.length > 0).map(({ findings }) => findings.problems)).toEqual([])
})

test('a disk that only says that it flushed is found out', async () => {
  const honest = planCuts(recording.log.entries, { count: 0, random: seeded(SEED) }).filter(({ kind }) => kind === 'flush')
  const lies: Cut[] = evenly(honest.slice(honest.length >> 2), 60).map(({ durable, ...cut }) => ({ ...cut, durable: behind(durable) }))
  const { checked } = await runCampaign(recording, lies)
  const lost = checked.filter(({ findings }) => findings.problems.length > 0)
  say(`with a disk that forgets its last eight orders and more: ${lost.length} of ${checked.length} cuts lose something, and are found`)
  expect(lost.length).toBeGreaterThan(checked.length / 2)
})

/** Some entries are lost, in whole windows. */
const behind = (durable: number): number => {
  let from = Math.max(0, durable - 8)
  while (from > 0 && recording.log.entries[from - 1]?.kind !== 'flush') from--
  return from
}

/** Evenly spread, and one more: with a partition table half written in the first boot, where the kernel must take the other. */
function toBoot(checked: readonly Checked[]): Checked[] {
  const torn = checked.find(({ findings }) => findings.table === 'last')
  return [...new Set([...evenly(checked, BOOTS), ...(torn ? [torn] : [])])].sort((a, b) => checked.indexOf(a) - checked.indexOf(b))
}

test('machines with the disks of 40 cuts come up with the old or the new version, and have lost nothing', async () => {
  const lanes: Lane[] = [await homeLane(home), await lonelyLane(log)]
  const booted: Booted[] = []
  try {
    const chosen = toBoot(report.checked)
    booted.push(
      ...(await bootCuts(recording, chosen, lanes, {
        accelerator: TCG,
        progress: (one, done) => say(`boot ${done} of ${chosen.length}: ${told(one)}`),
      })),
    )
  } finally {
    for (const lane of lanes) await lane.close()
  }
  const versions = new Map<string, number>()
  for (const { version, slot } of booted) versions.set(`${version} in ${slot}`, (versions.get(`${version} in ${slot}`) ?? 0) + 1)
  say(`${booted.length} cuts booted: ${[...versions].map(([name, count]) => `${count} ${name}`).join(', ')}`)
  expect(booted.length).toBeGreaterThanOrEqual(BOOTS)
  expect(booted.flatMap(({ problems }) => problems)).toEqual([])
})
