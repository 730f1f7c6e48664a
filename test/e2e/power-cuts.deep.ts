import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLog } from '@bridgehead/shared/log.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TCG } from '../lab/box/boards.ts'
import { createHome, type Home } from '../lab/box/home.ts'
import { applianceImage, type BoxImage, crashingImage } from '../lab/box/images.ts'
import { cacheDirectory } from '../lab/cache.ts'
import { saveLogs } from '../lab/logs.ts'
import { type Booted, bootCuts, homeLane, type Lane, lonelyLane, told } from '../lab/powercut/boots.ts'
import { type CampaignReport, type Checked, countBy, type Recording, runCampaign, summary, words } from '../lab/powercut/campaign.ts'
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
    await crashingImage('0.1.2'),
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

/** A box's life: comes up, enrols, serves, fills its second slot, takes a release, goes back from a bad one, serves on. */
async function live(recorder: Recorder, second: BoxImage, bad: BoxImage): Promise<void> {
  const began = Date.now()
  const { box } = recorder
  const phase = (name: string) => {
    recorder.phase(name)
    say(`${formatMs(Date.now() - began)}: ${name}`)
  }
  const update = (name: string, { version }: BoxImage) =>
    recorder.fact(
      `${version} to be ${name}`,
      ({ kind, data }) => kind === 'appliance.update' && data.phase === name && data.version === version,
      600_000,
    )
  await home.online(300_000, box)
  phase('normal work')
  await recorder.work({ clients: 60, perSecond: 1 })
  await recorder.fact('the second slot to be filled', ({ kind }) => kind === 'appliance.slot-repaired', 300_000)

  phase('update')
  recorder.ordered(second.version)
  await rollOut(home, second)
  await box.waitForLine(/^Bridgehead: system B/, 600_000)
  phase('trial and commit')
  await update('committed', second)
  phase('work after the update')
  await sleep(20_000)

  phase('bad update')
  recorder.ordered(bad.version)
  await rollOut(home, bad)
  await box.waitForLine(/^Bridgehead: system A/, 600_000)
  phase('fall-back')
  await update('rolled-back', bad)
  phase('work after the fall-back')
  await sleep(20_000)
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

/** Of each phase as many, but for one; and besides, one with a partition table half written in the first boot, where the kernel must take the other. */
function toBoot(checked: readonly Checked[]): Checked[] {
  const phases = [...Map.groupBy(checked, ({ phase }) => phase).values()]
  const share = (index: number) => Math.floor(BOOTS / phases.length) + (index < BOOTS % phases.length ? 1 : 0)
  const torn = checked.find(({ findings }) => findings.table === 'last')
  const chosen = new Set([...phases.flatMap((ones, index) => evenly(ones, share(index))), ...(torn ? [torn] : [])])
  return checked.filter((one) => chosen.has(one))
}

test('machines with the disks of 40 cuts come up with the old or the new version, and have lost nothing', {
  timeout: 3_600_000,
}, async () => {
  const lanes: Lane[] = [await homeLane(home), await lonelyLane(log)]
  const booted: Booted[] = []
  const began = Date.now()
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
  const seconds = (Date.now() - began) / 1000
  const came = countBy(booted, ({ version, slot }) => `${version} in ${slot}`)
  say(
    `${booted.length} cuts booted in ${seconds.toFixed(0)} s: ${words(came)}; in the phases: ${words(countBy(booted, ({ phase }) => phase))}`,
  )
  say(`wrong: ${booted.filter(({ problems }) => problems.length > 0).length}`)
  expect(booted.length).toBeGreaterThanOrEqual(BOOTS)
  expect(booted.flatMap(({ problems }) => problems)).toEqual([])
})
