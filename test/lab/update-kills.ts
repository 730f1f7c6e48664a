import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { indexOf, makeDisk, makeSystem, manifestOf, openBucket, powerOn, systemIn } from '@bridgehead/appliance/update/fake-box.ts'
import { makeKey, stateWith } from '@bridgehead/appliance/update/fake-machine.ts'
import type { UpdateStatus } from '@bridgehead/appliance/update/updater.ts'
import { decodeGrubEnv, MAX_TRIES, marksOf, slotToBoot } from '@bridgehead/shared/boot/slots.ts'
import { execa } from 'execa'
import type { Task } from './update-process.ts'

const OLD = makeSystem('1.0.0', { changed: 20 })
const NEW = makeSystem('1.1.0', { changed: 20 })
const SYSTEMS = [OLD, NEW]
const SPEED = 2_000
const LIMIT_MS = 120_000

export interface Outcome {
  kills: number
  powerCuts: number
  /** What the kills hit: the step that the daemon was at. */
  at: Record<string, number>
  running: string
  slots: { A: string | undefined; B: string | undefined }
  /** Phases that end a release, as the manager hears of them. */
  ends: string[]
}

/**
 * One update in which the daemon is killed (SIGKILL) up to `kills` times, each time when it has worked for up to `lifeMs`; half of the times
 * the power goes with it, but never three times in one trial. Then it may finish. Throws when the slot that the loader would start is ever not whole, or when it does not finish in time.
 */
export async function killUpdate({
  kills,
  lifeMs,
  ill = false,
  random,
}: {
  kills: number
  lifeMs: number
  ill?: boolean
  random: () => number
}): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'update-kills-'))
  const bucket = await openBucket()
  const key = makeKey('manager')
  const state = await stateWith(manifestOf('1.1.0', NEW), key)
  bucket.put(NEW)
  bucket.put(indexOf(NEW))
  makeDisk(directory, OLD)
  const file = (name: string) => join(directory, name)
  const outcome: Outcome = { kills: 0, powerCuts: 0, at: {}, running: '', slots: { A: undefined, B: undefined }, ends: [] }

  let boot = powerOn(directory, SYSTEMS)
  let bootId = randomUUID()
  let booted = performance.now()
  const start = () => {
    for (const name of ['reboot', 'status.json']) rmSync(file(name), { force: true })
    const { url, user, password } = bucket.source
    const { d: _, ...publicKey } = key
    const task: Task = {
      ...{ boot, bootId, uptimeMs: (performance.now() - booted) * SPEED, state, key: publicKey, source: { url, user, password } },
      ...{ ill: ill ? ['1.1.0'] : [], speed: SPEED },
    }
    writeFileSync(file('task.json'), JSON.stringify(task))
    return execa(process.execPath, [join(import.meta.dirname, 'update-process.ts'), directory], {
      reject: false,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  }
  const cutPower = () => {
    boot = powerOn(directory, SYSTEMS)
    bootId = randomUUID()
    booted = performance.now()
  }
  const status = (): UpdateStatus | undefined => {
    try {
      return JSON.parse(readFileSync(file('status.json'), 'utf8'))
    } catch (error) {
      if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT')) return undefined // half written, or not yet
      throw error
    }
  }
  const isOver = (now: UpdateStatus | undefined) =>
    now?.doing === 'idle' && now.other.state === 'good' && (ill ? now.rollback !== undefined : now.running.version === '1.1.0')

  try {
    let over = false
    for (const end = performance.now() + LIMIT_MS; !over; ) {
      if (performance.now() > end) throw new Error(`did not finish; ${JSON.stringify(status())}`)
      const daemon = start()
      let ended = false
      daemon.finally(() => {
        ended = true
      })
      const isKilled = outcome.kills < kills
      const early = random() < 0.2 // before the updater runs
      while (isKilled && !early && !ended && status() === undefined) await sleep(1)
      const until = isKilled ? performance.now() + random() * lifeMs : end
      while (performance.now() < until && !existsSync(file('reboot')) && !over) {
        await sleep(isKilled ? 1 : 10)
        if (ended) throw new Error(`the daemon ended by itself: ${(await daemon).stderr}`)
        over = isOver(status())
      }
      const doing = status()?.doing ?? 'starting'
      daemon.kill('SIGKILL')
      await daemon
      const next = slotToBoot(decodeGrubEnv(readFileSync(file('grubenv')))).slot
      if (systemIn(file(`slot-${next}`), SYSTEMS) === undefined)
        throw new Error(`killed at ${doing}: slot ${next} would be started and is not whole`)
      const asked = existsSync(file('reboot'))
      if (!asked && !over) {
        outcome.kills++
        outcome.at[doing] = (outcome.at[doing] ?? 0) + 1
      }
      if (over) break
      // a third start that nobody marked good would end the new system, and rightly so
      const mayCut = marksOf(decodeGrubEnv(readFileSync(file('grubenv'))))[boot.slot].tries < MAX_TRIES - 1
      if (!asked && (random() < 0.5 || !mayCut)) continue
      if (!asked) outcome.powerCuts++
      cutPower()
    }
    const store = openStore(file('store.sqlite'))
    if (store.db.pragma('integrity_check', { simple: true }) !== 'ok') throw new Error('the store is damaged')
    outcome.ends = store.db
      .prepare<[], { phase: string }>(
        "SELECT json_extract(event, '$.data.phase') AS phase FROM outbox WHERE json_extract(event, '$.data.phase') IN ('committed', 'rolled-back', 'refused')",
      )
      .all()
      .map((row) => row.phase)
    store.close()
    outcome.running = boot.version
    outcome.slots = { A: systemIn(file('slot-A'), SYSTEMS), B: systemIn(file('slot-B'), SYSTEMS) }
    return outcome
  } finally {
    await bucket.close()
    await rm(directory, { recursive: true, force: true })
  }
}
