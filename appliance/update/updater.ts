import { otherSlot, type SlotName } from '@bridgehead/shared/boot/slots.ts'
import { isOpen } from '@bridgehead/shared/model/maintenance.ts'
import { type PublicKey, SignatureError, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { oldestReader } from '../store/store.ts'
import type { HealthReport } from '../system/health.ts'
import { backoffMs } from '../uplink/backoff.ts'
import { FetchError } from '../uplink/cache/fetch.ts'
import { Wake } from '../uplink/wake.ts'
import { decide, type Situation, type Step } from './decide.ts'
import type { Progress } from './deliver.ts'
import { watchFitness } from './fitness.ts'
import { judgeRelease, type Verdict } from './judge-release.ts'
import { type LoaderEnv, openLoaderEnv } from './loader-env.ts'
import { type Machine, thisMachine } from './machine.ts'
import { type RolledBack, updateRecords } from './records.ts'
import { readHead } from './slot-file.ts'
import { createSteps, REFUSED, type StepDeps } from './steps.ts'

export interface UpdaterDeps extends Pick<StepDeps, 'store' | 'outbox' | 'clock' | 'log' | 'boot' | 'helper' | 'source'> {
  health: () => HealthReport
  /** Keys that may sign a release: those that may sign a state. */
  keys: () => readonly PublicKey[]
  /** In [0, 1). */
  random: () => number
  /** Somebody confirmed the clock since the box was started. Absent: it is always right. */
  timeKnown?: () => boolean
  machine?: Machine
}

export interface UpdateStatus {
  running: { slot: SlotName; version: string }
  /** What the updater does now, and why it waits. */
  doing: Step['do']
  why?: string | undefined
  release?: { id: string; version: string; phase: string; progress?: Progress | undefined } | undefined
  /** The slot that a failed start falls back to. */
  other: { slot: SlotName; state: 'good' | 'bad' | 'unknown'; version?: string | undefined; why?: string | undefined }
  rollback?: RolledBack | undefined
}

export interface Updater extends Service {
  apply(state: SiteState): void
  status(): UpdateStatus
}

const TICK_MS = 5_000
/** "The uplink worked before": so lately. */
const UPLINK_MS = 600_000

/** Replaces the system in the other slot by the release that the site's state names, and keeps both slots fit to start. */
export function createUpdater(deps: UpdaterDeps): Updater {
  const { store, outbox, clock, log, boot, helper, source, random } = deps
  const machine = deps.machine ?? thisMachine()
  const records = updateRecords(store.db)
  const readTold = store.db.prepare<[], { value: string }>(`SELECT value FROM kv WHERE key = '${REFUSED}'`)
  const fitness = watchFitness()
  const stopping = new AbortController()
  const wake = new Wake()
  const other = otherSlot(boot.slot)
  let wanted: { state: Pick<SiteState, 'appliance' | 'at'> } | undefined
  let stepping = new AbortController()
  let step: Step = { do: 'wait', why: 'just started' }
  let why: string | undefined = 'just started'
  let progress: Progress | undefined
  let running: Promise<void> | undefined
  let endSamples: (() => void) | undefined

  const sample = () => fitness.sample(deps.health(), machine.uptimeMs())

  const judge = async (jws: string, at: number): Promise<Verdict> => {
    try {
      return judgeRelease(await verifyDocument('release', jws, deps.keys()), {
        board: boot.board,
        version: boot.version,
        floor: records.floor(),
        slotBytes: boot.slots[other].bytes,
        oldestReader: oldestReader(store.db),
        now: clock.now(),
        timeKnown: deps.timeKnown?.() ?? true,
        notBefore: at,
      })
    } catch (error) {
      if (!(error instanceof SignatureError) && !(error instanceof SyntaxError)) throw error // no JSON inside
      return { kind: 'refused', version: undefined, why: error.message }
    }
  }
  const look = async (env: LoaderEnv): Promise<Situation> => {
    const { release, window } = wanted?.state.appliance ?? {}
    const verdict = release && wanted && (await judge(release.jws, wanted.state.at))
    const told = readTold.get()?.value
    const uptimeMs = machine.uptimeMs()
    return {
      now: clock.now(),
      uptimeMs,
      bootId: machine.bootId,
      running: boot.slot,
      version: boot.version,
      marks: env.marks(),
      data: boot.data.state === 'ok' ? 'ok' : `the data partition is ${boot.data.state === 'memory' ? 'not mounted' : 'read-only'}`,
      open: records.open(),
      wanted: release &&
        verdict && {
          release: release.id,
          verdict,
          ended: records.ended(release.id),
          told: told?.startsWith(`${release.id} `) ? told.slice(release.id.length + 1) : undefined,
        },
      windowOpen: isOpen(window, clock.now()) && (window === undefined || (deps.timeKnown?.() ?? true)),
      health: fitness.at(uptimeMs),
      other: records.slot(other),
    }
  }

  /** A card that was flashed anew kept its data: what is remembered of its slots, and of an update, is of another system. */
  const forgetOtherCards = async () => {
    for (const slot of [boot.slot, other]) {
      const known = records.slot(slot)
      const found = known?.head === undefined ? undefined : await readHead(boot.slots[slot].device)
      if (known?.head === undefined || known.bad !== undefined || found?.head === known.head) continue
      if (slot === other) await store.write(() => records.setBad(other, 'it does not begin as it did'))
      else {
        log.warn('update.flashed_anew', { slot })
        await store.write(() => {
          records.dropOpen()
          records.dropSlot('A')
          records.dropSlot('B')
        })
        return
      }
    }
  }

  const run = async () => {
    const env = await openLoaderEnv(boot.env.path, helper.setEnv)
    const perform = createSteps({
      ...{ store, outbox, clock, log, boot, helper, source, machine, records, env },
      uplinkWorked: () => fitness.uplinkWithin(UPLINK_MS, machine.uptimeMs()),
      progress: (now) => {
        progress = now
      },
    })
    if (boot.tried.length > 0) log.error('update.slot_skipped', { slots: boot.tried })
    let last = ''
    let failures = 0
    let told = ''
    /** Milliseconds to rest. */
    const turn = async (): Promise<number> => {
      sample()
      const seen = wanted
      const situation = await look(env)
      if (wanted !== seen) return 0 // the site's state changed meanwhile
      step = decide(situation)
      if (step.do === 'wait' || step.do === 'idle') {
        last = ''
        failures = 0
        why = step.do === 'wait' ? step.why : undefined
        if (step.do === 'wait' && step.release !== undefined && why !== told) await tellWaiting(step)
        told = why ?? ''
        return TICK_MS
      }
      stepping = new AbortController()
      try {
        await perform(step, AbortSignal.any([stopping.signal, stepping.signal]))
      } catch (error) {
        if (stopping.signal.aborted || stepping.signal.aborted) return 0
        return failed(step, error)
      }
      failures = 0
      why = undefined
      const same = JSON.stringify(step) === last // a step that changes nothing must not spin
      last = JSON.stringify(step)
      return same ? TICK_MS : 0
    }
    const failed = async (at: Step, error: unknown): Promise<number> => {
      const message = error instanceof Error ? error.message : String(error)
      const isLine = error instanceof FetchError
      const waitMs = backoffMs(isLine ? failures : failures + 6, random)
      failures++
      log[isLine ? 'warn' : 'error']('update.step_failed', { step: at.do, why: message, waitMs, ...(isLine ? {} : { error }) })
      if (at.do === 'fetch' && !isLine && message !== why)
        await store.write(() =>
          outbox.add('appliance.update', { release: at.release, version: at.manifest.version, phase: 'fetching', why: message }),
        )
      why = message
      return waitMs
    }
    const tellWaiting = async ({ release = '', version = '', why: reason }: Extract<Step, { do: 'wait' }>) => {
      await store.write(() => outbox.add('appliance.update', { release, version, phase: 'waiting', why: reason }))
      log.info('update.waiting', { release, version, why: reason })
    }
    await forgetOtherCards()
    while (!stopping.signal.aborted) {
      const restMs = await turn().catch((error: unknown) => {
        log.error('update.failed', { error }) // the store or the disk; tried again
        return backoffMs(failures++ + 6, random)
      })
      if (restMs > 0) await wake.wait(restMs, clock, stopping.signal)
    }
  }

  return {
    name: 'updater',
    async start() {
      sample()
      endSamples = clock.every(TICK_MS, sample)
      running ??= run()
    },
    async stop() {
      endSamples?.()
      stopping.abort()
      await running
    },
    apply(state) {
      const before = wanted?.state.appliance?.release?.id
      wanted = { state }
      if (state.appliance?.release?.id !== before) stepping.abort()
      wake.now()
    },
    status() {
      const open = records.open()
      const known = records.slot(other)
      return {
        running: { slot: boot.slot, version: boot.version },
        doing: step.do,
        why,
        release: open && { id: open.release, version: open.version, phase: open.phase, progress },
        other: {
          slot: other,
          state: known === undefined ? 'unknown' : known.bad === undefined ? 'good' : 'bad',
          version: known?.version,
          why: known?.bad,
        },
        rollback: records.lastRollBack(),
      }
    },
  }
}
