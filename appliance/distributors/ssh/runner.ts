import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Outbox } from '../../store/outbox.ts'
import type { Store } from '../../store/store.ts'
import { Output, PART_BYTES, type StreamName } from './output.ts'
import { CANCELLED_BEFORE, type EndedBy, NOT_SENT, notSent, RESTARTED, type Result, resultOf } from './result.ts'
import { createRuns, type RunOrder } from './runs.ts'
import { scriptInput } from './script.ts'
import { type Connect, type Session, SshError } from './session.ts'
import { createSlots } from './slots.ts'

/** What the site knows of a host, asked anew at each try. */
export interface SshHost {
  ip: Ipv4 | undefined
  /** OpenSSH public lines, pinned when the host phoned home. */
  hostKeys: readonly string[]
}

export interface SshRunnerDeps {
  store: Store
  outbox: Outbox
  log: Log
  clock: Clock
  connect: Connect
  host: (id: string) => SshHost | undefined
  /** Of the hosts' SSH servers; 22 unless told. */
  port?: number | undefined
  /** 0 to 1, spreads retries. */
  random: () => number
  parallel?: number | undefined
}

export interface SshRunner extends Service {
  /** Takes an order. Call it inside `store.write`: it is kept together with what else that writes, and carried out after. */
  run(order: RunOrder): void
  /** Call it inside `store.write`. A run that has not begun never will; one under way is ended. Others, nothing. */
  cancel(run: string): void
  counters(): { active: number; finished: number; failed: number }
}

const PARALLEL = 20
const BATCH_MS = 200
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 10_000
const REMEMBERED_MS = 30 * 86_400_000

interface Task {
  abort: AbortController
  endedBy: EndedBy | undefined
  done: Promise<void>
}
interface Run {
  run: string
  command: string
  host: string
}
/** Runs scripts on hosts, each once: what was sent to a host is never sent again, not after a crash either. */
export function createSshRunner(deps: SshRunnerDeps): SshRunner {
  const { store, outbox, log, clock, connect, port = 22, random, parallel = PARALLEL } = deps
  const runs = createRuns(store.db)
  const tasks = new Map<string, Task>()
  const slots = createSlots(parallel, wake)
  const counts = { finished: 0, failed: 0 }
  let isRunning = false
  let isWoken = false

  /** Begins accepted runs as far as there are slots; after the write of this turn. What it finds in the store is what there is. */
  function wake(): void {
    if (isWoken) return
    isWoken = true
    setImmediate(() => {
      isWoken = false
      if (!isRunning) return
      const room = slots.free()
      if (room === 0) return
      const fresh = runs.accepted(tasks.size + room).filter((one) => !tasks.has(one.run))
      for (const one of fresh.slice(0, room)) begin(one)
    })
  }

  function begin(one: Run): void {
    const task: Task = { abort: new AbortController(), endedBy: undefined, done: Promise.resolve() }
    tasks.set(one.run, task)
    task.done = carryOut(one, task)
      .catch((error) => log.error('ssh.run_lost', { run: one.run, host: one.host, error }))
      .finally(() => {
        tasks.delete(one.run)
        wake()
      })
  }

  function end(task: Task, by: EndedBy): void {
    task.endedBy ??= by
    task.abort.abort()
  }

  async function carryOut(one: Run, task: Task): Promise<void> {
    const order = runs.order(one.command)
    if (!order) return finish(one, clock.now(), { exitCode: null, error: 'the order was lost; run the script again' })
    const since = clock.now()
    let lastWhy = 'the host did not answer'
    const cancelTimer = clock.after(order.timeoutMs, () => end(task, 'timeout'))
    try {
      for (let attempt = 0; ; attempt++) {
        const free = await slots.take()
        try {
          if (task.abort.signal.aborted) break
          const session = await open(one, order.user, task)
          return await runOn(session, one, order, task)
        } catch (error) {
          if (!(error instanceof SshError)) throw error
          if (task.abort.signal.aborted) break
          if (!error.mayPass) return await finish(one, since, { exitCode: null, error: error.message })
          lastWhy = error.message
          log.debug('ssh.connect_failed', { run: one.run, host: one.host, why: error.message })
        } finally {
          free()
        }
        const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt)
        await clock.sleep(pause * (0.5 + random() / 2), task.abort.signal)
      }
      if (task.endedBy !== 'stop') await finish(one, since, notSent(task.endedBy, order.timeoutMs, lastWhy)) // an accepted run waits for the next start
    } finally {
      cancelTimer()
    }
  }

  /** The host as it is known now. */
  async function open({ run, host }: Run, user: string, task: Task): Promise<Session & { ip: Ipv4 }> {
    const known = deps.host(host)
    if (!known) throw new SshError(`host ${host} is not known at this site; check that it was not removed`, { mayPass: false })
    const { ip, hostKeys } = known
    if (!ip) throw new SshError(`host ${host} has no address yet; check that it is on and got a lease`, { mayPass: true })
    try {
      const session = await connect({ ip, port, user, hostKeys }, task.abort.signal)
      return { ip, exec: (...args) => session.exec(...args), end: () => session.end() }
    } catch (error) {
      if (error instanceof SshError && !error.mayPass && !task.abort.signal.aborted)
        log.warn('ssh.refused', { run, host, ip, why: error.message })
      throw error
    }
  }

  async function runOn(session: Session & { ip: Ipv4 }, one: Run, order: Omit<RunOrder, keyof Run>, task: Task): Promise<void> {
    const since = clock.now()
    try {
      // on disk before the first byte goes out: after a crash nobody sends it a second time
      if (!(await markStarted(one, session.ip, since))) return
      log.info('ssh.run_started', { run: one.run, host: one.host, ip: session.ip })
      const output = new Output()
      const tell = teller(one, output)
      const onOutput = (stream: StreamName, bytes: Buffer) => {
        output.add(stream, bytes)
        tell.soon()
      }
      const { signal } = task.abort
      const outcome = signal.aborted ? NOT_SENT : await session.exec(scriptInput(order.text), onOutput, signal)
      output.end()
      await tell.all()
      await finish(one, since, resultOf(outcome, task.endedBy, session.ip, order.timeoutMs))
    } finally {
      session.end()
    }
  }

  /** False when the run was cancelled meanwhile. */
  async function markStarted({ run, host }: Run, ip: Ipv4, now: number): Promise<boolean> {
    try {
      return await store.write(() => {
        if (!runs.start(run, now)) return false
        outbox.add('run.started', { run, ip }, host)
        return true
      })
    } catch (cause) {
      throw new SshError('the appliance could not write to its store; make room on its disk', { mayPass: true, cause })
    }
  }

  /** Output goes up every 200 ms, sooner when a part is full. */
  function teller({ run, host }: Run, output: Output): { soon(): void; all(): Promise<void> } {
    let cancel: (() => void) | undefined
    let told = Promise.resolve()
    const flush = () => {
      cancel?.()
      cancel = undefined
      const parts = output.take()
      if (parts.length > 0)
        told = told.then(() => keep(run, () => parts.forEach((part) => outbox.add('run.output', { run, ...part }, host))))
      return told
    }
    return {
      soon() {
        if (output.size >= PART_BYTES) void flush()
        else cancel ??= clock.after(BATCH_MS, () => void flush())
      },
      all: flush,
    }
  }

  async function finish({ run, host }: Run, since: number, result: Result): Promise<void> {
    const ms = clock.now() - since
    await keep(run, () => {
      if (runs.finish(run, since + ms)) outbox.add('run.finished', { run, ms, ...result }, host)
    })
    counts.finished++
    if (result.error !== undefined || result.exitCode !== 0) counts.failed++
    log.info('ssh.run_finished', { run, host, ms, ...result })
  }

  /** Writes what has happened, again and again while the disk is full: it cannot be undone. Given up only when the appliance stops. */
  async function keep(run: string, task: () => void): Promise<void> {
    for (;;)
      try {
        return await store.write(task)
      } catch (error) {
        log.error('ssh.store_failed', { run, error })
        if (!isRunning) return
        await clock.sleep(LAST_RETRY_MS)
      }
  }

  /** Runs that were under way when the appliance last ended: their scripts may have run, so they never run again. */
  async function settleInterrupted(): Promise<void> {
    const now = clock.now()
    const cut = await store.write(() => {
      runs.forget(now - REMEMBERED_MS)
      const found = runs.interrupted()
      for (const { run, host, at } of found) {
        runs.finish(run, now)
        outbox.add('run.finished', { run, exitCode: null, ms: Math.max(0, now - at), error: RESTARTED }, host)
      }
      return found
    })
    if (cut.length > 0) log.warn('ssh.interrupted', { runs: cut.map((one) => one.run) })
  }

  return {
    name: 'ssh',
    async start() {
      await settleInterrupted()
      isRunning = true
      wake()
    },
    async stop() {
      isRunning = false
      for (const task of tasks.values()) end(task, 'stop')
      await Promise.all([...tasks.values()].map((task) => task.done))
    },
    run(order) {
      runs.accept(order, clock.now())
      wake()
    },
    cancel(run) {
      const found = runs.state(run)
      if (!found || found.state === 'finished') return
      if (found.state === 'accepted' && runs.finish(run, clock.now()))
        outbox.add('run.finished', { run, exitCode: null, ms: 0, error: CANCELLED_BEFORE }, found.host)
      const task = tasks.get(run)
      if (task) setImmediate(() => end(task, 'cancel')) // after this write
    },
    counters: () => ({ active: tasks.size, ...counts }),
  }
}
