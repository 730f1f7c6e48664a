import { otherSlot, type SlotMark, type SlotMarks } from '@bridgehead/shared/boot/slots.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { UpdatePhase } from '@bridgehead/shared/model/event.ts'
import { MIGRATIONS } from '../store/migrations.ts'
import type { Outbox } from '../store/outbox.ts'
import { takeSnapshot } from '../store/snapshot.ts'
import type { Store } from '../store/store.ts'
import type { BootInfo } from '../system/boot-info.ts'
import type { Helper } from '../system/helper.ts'
import { type ArtifactSource, FetchError } from '../uplink/cache/fetch.ts'
import { copySlot, digestSlowly } from './copy-slot.ts'
import type { OpenUpdate, Step } from './decide.ts'
import { deliver, type Progress } from './deliver.ts'
import type { LoaderEnv } from './loader-env.ts'
import type { Machine } from './machine.ts'
import type { UpdateRecords } from './records.ts'
import { readHead, SlotError } from './slot-file.ts'

export interface StepDeps {
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
  boot: BootInfo
  helper: Pick<Helper, 'setEnv' | 'openSlot' | 'closeSlot' | 'reboot'>
  /** Where releases come from now; undefined while there is no uplink. */
  source: () => ArtifactSource | undefined
  machine: Machine
  records: UpdateRecords
  env: LoaderEnv
  /** The uplink worked lately. */
  uplinkWorked: () => boolean
  progress: (now: Progress | undefined) => void
}

/** After this time a machine that was told to restart is told again. */
const REBOOT_MS = 60_000
/** The manager hears of each tenth of a delivery. */
const TELL_PARTS = 10
/** `{release} {why}` of the last refusal that the manager was told. */
export const REFUSED = 'update.refused'

/**
 * Carries out what `decide` said. Each step may end at any point, with the process or with the power: then the same decision, taken
 * anew from what is on disk and in the loader's environment, goes on from there. The order of the two is said where it matters.
 */
export function createSteps(deps: StepDeps): (step: Exclude<Step, { do: 'wait' | 'idle' }>, signal: AbortSignal) => Promise<void> {
  const { store, outbox, clock, log, boot, helper, source, machine, records, env } = deps
  const running = boot.slot
  const other = otherSlot(running)
  const device = boot.slots[other]
  const setRefused = store.db.prepare(`INSERT INTO kv VALUES ('${REFUSED}', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`)
  const GOOD: SlotMark = { ok: true, tries: 0 }
  const BAD: SlotMark = { ok: false, tries: 0 }

  const marks = (): SlotMarks => {
    const now = env.marks()
    if (!now) throw new Error('the environment of the loader cannot be read')
    return now
  }
  const opened = (): OpenUpdate => {
    const open = records.open()
    if (!open) throw new Error('no release is under way')
    return open
  }
  const tell = (
    release: string,
    version: string,
    phase: UpdatePhase,
    more: { why?: string; bytes?: number; total?: number; fetched?: number } = {},
  ) => {
    outbox.add('appliance.update', { release, version, phase, ...more })
    log[phase === 'refused' || phase === 'rolled-back' ? 'error' : 'info'](`update.${phase.replace('-', '_')}`, {
      release,
      version,
      ...more,
    })
  }

  const perform: { [K in Exclude<Step['do'], 'wait' | 'idle'>]: (step: Extract<Step, { do: K }>, signal: AbortSignal) => Promise<void> } = {
    async mend({ why }) {
      const known = records.slot(other)
      log.error('update.env_mended', { why: env.why ?? why })
      await env.set({ order: [running, other], A: GOOD, B: GOOD, [other]: known && known.bad === undefined ? GOOD : BAD })
    },
    async 'mark-good'() {
      await env.set({ ...marks(), order: [running, other], [running]: GOOD })
      log.info('update.marked_good', { slot: running, version: boot.version })
    },
    async 'begin-trial'() {
      const { release, version } = opened()
      await store.write(() => {
        records.set(release, { phase: 'trying', at: clock.now() })
        tell(release, version, 'trying')
      })
    },
    async commit({ why }) {
      const { release, version } = opened()
      // The loader first: once the manager reads "committed", no power cut may count against this system any more.
      await env.set({ ...marks(), order: [running, other], [running]: GOOD })
      await store.write(() => {
        records.set(release, { phase: 'committed', why, at: clock.now() })
        tell(release, version, 'committed', why === undefined ? {} : { why })
      })
    },
    async 'fall-back'({ why }, signal) {
      // The reason first: the old system finds it and reports it.
      await store.write(() => records.set(opened().release, { phase: 'trying', why, at: clock.now() }))
      log.error('update.falls_back', { why })
      await env.set({ ...marks(), order: [other, running], [running]: BAD, [other]: GOOD })
      await restart(signal)
    },
    async 'record-roll-back'({ why }) {
      const { release, version, slot } = opened()
      // The record first: while it is open, the environment is what proves the failure.
      await store.write(() => {
        records.set(release, { phase: 'rolled-back', why, at: clock.now() })
        records.setBad(slot, `it held ${version}, which did not hold: ${why}`)
        tell(release, version, 'rolled-back', { why })
      })
      await env.set({ ...marks(), order: [running, other], [slot]: BAD })
    },
    async refuse({ release, version, why }) {
      await store.write(() => {
        setRefused.run(`${release} ${why}`)
        tell(release, version, 'refused', { why })
      })
    },
    async 'already-runs'({ release, manifest }) {
      await store.write(() => {
        records.begin(release, manifest, running, clock.now())
        records.set(release, { phase: 'committed', at: clock.now() })
        tell(release, manifest.version, 'committed', { why: 'it runs already' })
      })
    },
    async fetch({ release, manifest }, signal) {
      const from = source()
      if (!from) throw new FetchError('there is no uplink to fetch it over')
      const { version, slot } = manifest
      let told = -1
      const done = await deliver({
        manifest,
        source: from,
        running: boot.slots[running].device,
        signal,
        async prepare() {
          if (records.open()?.release !== release || records.open()?.phase !== 'fetching')
            await store.write(() => records.begin(release, manifest, other, clock.now()))
          await store.write(() => records.setBad(other, `it held a part of ${version}`))
          await env.set({ ...marks(), [other]: BAD }) // nobody starts what is half written
          return helper.openSlot(other)
        },
        progress(now) {
          deps.progress(now)
          const part = Math.floor((now.bytes * TELL_PARTS) / now.total)
          if (part === told) return
          told = part
          store
            .write(() => tell(release, version, 'fetching', { ...now }))
            .catch((error: unknown) => log.error('store.write_failed', { error }))
        },
      }).finally(() => {
        deps.progress(undefined)
        return helper.closeSlot()
      })
      const head = await readHead(device.device)
      // The loader first: the record says "whole" only of what may be started.
      await env.set({ ...marks(), [other]: GOOD })
      await store.write(() => {
        records.set(release, { phase: 'written', at: clock.now() })
        records.setSlot(other, { version, sha256: slot.sha256, bytes: slot.bytes, head: head?.head, verified: clock.now() })
        tell(release, version, 'written', { ...done })
      })
    },
    async switch({ release, manifest }, signal) {
      await takeSnapshot(store.db.name).catch((error: unknown) => {
        if (manifest.dataSchema !== MIGRATIONS.length) throw error
        log.warn('update.no_snapshot', { error }) // the new version leaves the store as it is
      })
      signal.throwIfAborted()
      // The record first: a new system that nobody knows of would never be put on trial.
      await store.write(() =>
        records.set(release, { phase: 'switched', uplink: deps.uplinkWorked(), boot: machine.bootId, at: clock.now() }),
      )
      await env.set({ ...marks(), order: [other, running], [other]: GOOD })
      await store.write(() => tell(release, manifest.version, 'switched'))
    },
    async reboot(_, signal) {
      await restart(signal)
    },
    async copy({ why }, signal) {
      const known = records.slot(running)
      log.warn('update.slot_repair', { slot: other, why })
      await store.write(() => {
        records.dropOpen()
        records.setBad(other, why)
      })
      await env.set({ ...marks(), [other]: BAD })
      const to = await helper.openSlot(other)
      const expected = known?.sha256 !== undefined && known.bytes !== undefined ? { sha256: known.sha256, bytes: known.bytes } : undefined
      const from = boot.slots[running].device
      const made = await copySlot({ from, to, toBytes: device.bytes, expected, clock, signal }).finally(() => helper.closeSlot())
      await env.set({ ...marks(), [other]: GOOD })
      await store.write(() => {
        for (const slot of [running, other]) records.setSlot(slot, { version: boot.version, ...made, verified: clock.now() })
        outbox.add('appliance.slot-repaired', { slot: other, why })
      })
      log.info('update.slot_repaired', { slot: other, why })
    },
    async verify(_, signal) {
      const known = records.slot(other)
      const head = await readHead(device.device)
      const bytes = known?.bytes ?? head?.bytes
      if (!head || bytes === undefined || bytes > device.bytes) return bad('it does not begin with a squashfs')
      const sha256 = await digestSlowly(device.device, bytes, clock, signal).catch((error: unknown) => {
        if (error instanceof SlotError) return error
        throw error
      })
      if (sha256 instanceof SlotError) return bad(`it is rotten: ${sha256.message}`)
      if (known?.sha256 !== undefined && known.sha256 !== sha256)
        return bad(`it is rotten: its sha256 is ${sha256} instead of ${known.sha256}`)
      await store.write(() => records.setSlot(other, { version: known?.version, sha256, ...head, verified: clock.now() }))
      log.debug('update.slot_verified', { slot: other, sha256 })
    },
  }

  const bad = async (why: string) => {
    log.error('update.slot_rotten', { slot: other, why })
    await store.write(() => records.setBad(other, why))
  }
  const restart = async (signal: AbortSignal) => {
    log.info('update.reboots')
    await helper.reboot()
    await clock.sleep(REBOOT_MS, signal)
  }

  return (step, signal) => {
    const run: (step: never, signal: AbortSignal) => Promise<void> = perform[step.do]
    return run(step as never, signal)
  }
}
