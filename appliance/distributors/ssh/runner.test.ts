import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { type AnyEvent, parseEvent } from '@bridgehead/shared/model/event.ts'
import { afterEach, expect, test, vi } from 'vitest'
import { createOutbox } from '../../store/outbox.ts'
import { openStore, type Store } from '../../store/store.ts'
import { takeOrder } from './orders.ts'
import { createSshRunner, type SshRunner, type SshRunnerDeps } from './runner.ts'
import type { RunOrder } from './runs.ts'
import { type Connect, type Outcome, type Session, SshError } from './session.ts'

// The runner against pretended hosts; time runs a thousand times faster than it says.
const clock: typeof systemClock = {
  ...systemClock,
  after: (ms, task) => systemClock.after(ms / 1000, task),
  sleep: (ms, signal) => systemClock.sleep(ms / 1000, signal),
}
const HOST = newId()

const opened: { store: Store; runner: SshRunner }[] = []
afterEach(async () => {
  for (const { store, runner } of opened.splice(0)) {
    await runner.stop()
    store.close()
  }
})

/** A host that does what `exec` says. */
const hostThat =
  (exec: Session['exec']): Connect =>
  async () => ({ exec, end: () => undefined })

const untilAborted = (signal: AbortSignal) =>
  new Promise<Outcome>((resolve) => {
    signal.addEventListener('abort', () => resolve({ kind: 'signal', signal: 'SIGTERM' }), { once: true })
  })

function rig(deps: Partial<SshRunnerDeps>, store = openStore(':memory:')) {
  const outbox = createOutbox(store.db, { clock, newId })
  const runner = createSshRunner({
    store,
    outbox,
    log: silentLog,
    clock,
    connect: hostThat(async () => ({ kind: 'exit', exitCode: 0 })),
    host: () => ({ ip: '192.0.2.7' as Ipv4, hostKeys: [] }),
    random: () => 0,
    ...deps,
  })
  opened.push({ store, runner })
  const events = (): AnyEvent[] =>
    outbox.peek(1000).flatMap(({ event }) => {
      const parsed = parseEvent(JSON.parse(event))
      return parsed.known ? [parsed.event] : []
    })
  const told = (run: string) =>
    events().flatMap((one): string[] => {
      if (!('run' in one.data) || one.data.run !== run) return []
      if (one.kind === 'run.finished') return [`finished ${one.data.exitCode}${one.data.error ? ` ${one.data.error}` : ''}`]
      if (one.kind === 'run.output') return [`${one.data.stream} ${one.data.text}`]
      return [one.kind]
    })
  const order = (more: Partial<RunOrder> = {}): RunOrder => ({
    run: newId(),
    command: newId(),
    host: HOST,
    user: 'root',
    text: 'true',
    timeoutMs: 600_000,
    ...more,
  })
  const execute = async (one: RunOrder) => {
    await store.write(() => runner.run(one))
    await expect.poll(() => told(one.run).at(-1), { interval: 5 }).toMatch(/^finished/)
    return told(one.run)
  }
  return { store, runner, told, order, execute }
}

test('a run tells that it started, what it printed and how it ended', async () => {
  const { runner, order, execute } = rig({
    connect: hostThat(async (_input, onOutput) => {
      onOutput('stdout', Buffer.from('out'))
      onOutput('stderr', Buffer.from('err'))
      return { kind: 'exit', exitCode: 4 }
    }),
  })
  await runner.start()
  expect(await execute(order())).toEqual(['run.started', 'stdout out', 'stderr err', 'finished 4'])
  await expect.poll(() => runner.counters()).toEqual({ active: 0, finished: 1, failed: 1 })
})

test('the run is on disk as started before anything is sent', async () => {
  let state = ''
  const made = rig({
    connect: hostThat(async () => {
      const row = made.store.db.prepare<[], { state: string }>('SELECT state FROM runs').get()
      state = `${row?.state}, ${made.store.db.inTransaction ? 'not yet written' : 'written'}`
      return { kind: 'exit', exitCode: 0 }
    }),
  })
  await made.runner.start()
  await made.execute(made.order())
  expect(state).toBe('started, written')
})

test('nothing runs of an order whose write is taken back', async () => {
  const connect = vi.fn(hostThat(async () => ({ kind: 'exit', exitCode: 0 })))
  const { store, runner, order } = rig({ connect })
  await runner.start()
  const failing = store.write(() => {
    runner.run(order())
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  await new Promise((done) => setTimeout(done, 20))
  expect(connect).not.toHaveBeenCalled()
})

for (const { trouble, error, tries, ends } of [
  { trouble: 'a passing one', error: new SshError('is off', { mayPass: true }), tries: 3, ends: ['run.started', 'finished 0'] },
  { trouble: 'a lasting one', error: new SshError('wrong key', { mayPass: false }), tries: 1, ends: ['finished null wrong key'] },
])
  test(`a host that cannot be reached, ${trouble}, is tried ${tries} times`, async () => {
    let count = 0
    const good = hostThat(async () => ({ kind: 'exit', exitCode: 0 }))
    const { runner, order, execute } = rig({
      async connect(target, signal) {
        if (++count < 3) throw error
        return good(target, signal)
      },
    })
    await runner.start()
    expect(await execute(order())).toEqual(ends)
    expect(count).toBe(tries)
  })

test('a host that stays away is given up after the time-out, with the last reason', async () => {
  const { runner, order, execute } = rig({ connect: () => Promise.reject(new SshError('192.0.2.7 does not answer', { mayPass: true })) })
  await runner.start()
  expect(await execute(order({ timeoutMs: 30_000 }))).toEqual(['finished null not reached within 30 s: 192.0.2.7 does not answer'])
})

for (const { host, why } of [
  { host: undefined, why: `host ${HOST} is not known at this site; check that it was not removed` },
  {
    host: { ip: undefined, hostKeys: [] },
    why: `not reached within 20 s: host ${HOST} has no address yet; check that it is on and got a lease`,
  },
])
  test(`a run ends with its reason: ${why}`, async () => {
    const { runner, order, execute } = rig({ host: () => host })
    await runner.start()
    expect(await execute(order({ timeoutMs: 20_000 }))).toEqual([`finished null ${why}`])
  })

for (const { outcome, ends } of [
  { outcome: { kind: 'signal', signal: 'SIGSEGV' }, ends: 'finished null the script was ended by signal SIGSEGV' },
  {
    outcome: { kind: 'broke', why: 'reset' },
    ends: 'finished null the connection to 192.0.2.7 broke (reset); the script may have run in part, so look at the host before running it again',
  },
] satisfies { outcome: Outcome; ends: string }[])
  test(`a script that ends by ${outcome.kind} is not run again`, async () => {
    const exec = vi.fn(async () => outcome)
    const { runner, order, execute } = rig({ connect: hostThat(exec) })
    await runner.start()
    expect((await execute(order())).at(-1)).toBe(ends)
    await new Promise((done) => setTimeout(done, 20))
    expect(exec).toHaveBeenCalledTimes(1)
  })

test('a script that takes too long is ended', async () => {
  const { runner, order, execute } = rig({ connect: hostThat((_input, _output, signal) => untilAborted(signal)) })
  await runner.start()
  const told = await execute(order({ timeoutMs: 50_000 }))
  expect(told.at(-1)).toBe('finished null ended after its 50 s; give it more time, or look at the output for what it waits for')
})

test('a run that waits is cancelled at once, and never begins', async () => {
  const connect = vi.fn(hostThat((_input, _output, signal) => untilAborted(signal)))
  const { store, runner, told, order } = rig({ connect, parallel: 1 })
  await runner.start()
  const [first, second] = [order(), order()]
  await store.write(() => [first, second].forEach(runner.run))
  await expect.poll(() => told(first.run)).toEqual(['run.started'])
  await store.write(() => runner.cancel(second.run))
  expect(told(second.run)).toEqual(['finished null cancelled before the script was sent'])
  await store.write(() => runner.cancel(first.run))
  await expect.poll(() => told(first.run).at(-1)).toBe('finished null cancelled while it ran; the script may have run in part')
  await store.write(() => runner.cancel(first.run))
  await store.write(() => runner.cancel('unknown'))
  expect(connect).toHaveBeenCalledTimes(1)
})

test('a run that tries to connect is cancelled for good', async () => {
  const { store, runner, told, order } = rig({ connect: () => Promise.reject(new SshError('off', { mayPass: true })) })
  await runner.start()
  const one = order()
  await store.write(() => runner.run(one))
  await expect.poll(() => runner.counters().active).toBe(1)
  await store.write(() => runner.cancel(one.run))
  await expect.poll(() => runner.counters().active).toBe(0)
  expect(told(one.run)).toEqual(['finished null cancelled before the script was sent'])
})

test('hosts that are away hold no slot while they are waited for', async () => {
  const good = hostThat(async () => ({ kind: 'exit', exitCode: 0 }))
  const away = newId()
  const { store, runner, order, execute } = rig({
    parallel: 1,
    host: (id) => ({ ip: (id === away ? '192.0.2.9' : '192.0.2.7') as Ipv4, hostKeys: [] }),
    async connect(target, signal) {
      if (target.ip === '192.0.2.9') throw new SshError('off', { mayPass: true })
      return good(target, signal)
    },
  })
  await runner.start()
  await store.write(() => [1, 2, 3].forEach(() => runner.run(order({ host: away }))))
  expect(await execute(order())).toEqual(['run.started', 'finished 0'])
})

test('after a stop what was under way is over, what waited runs at the next start, and what was finished stays so', async () => {
  const store = openStore(':memory:')
  const first = rig({ connect: hostThat((_input, _output, signal) => untilAborted(signal)), parallel: 1 }, store)
  await first.runner.start()
  const [under, waits] = [first.order(), first.order()]
  await store.write(() => [under, waits].forEach(first.runner.run))
  await expect.poll(() => first.told(under.run)).toEqual(['run.started'])
  await first.runner.stop()
  opened.splice(0)

  const second = rig({}, store)
  await second.runner.start()
  await store.write(() => second.runner.run(under))
  await expect.poll(() => second.told(waits.run)).toEqual(['run.started', 'finished 0'])
  expect(second.told(under.run)).toEqual([
    'run.started',
    'finished null the appliance restarted while this ran; the script may have run in part',
  ])
  expect(store.db.prepare('SELECT * FROM run_orders').all()).toEqual([])
})

test('a full disk loses no ending: it is written once there is room', async () => {
  const store = openStore(':memory:')
  let failures = 0
  const exec: Session['exec'] = async () => {
    failures = 3
    return { kind: 'exit', exitCode: 0 }
  }
  const made = rig({ connect: hostThat(exec) }, store)
  const write = store.write.bind(store)
  store.write = (task) => (failures-- > 0 ? Promise.reject(new Error('disk is full')) : write(task))
  await made.runner.start()
  expect(await made.execute(made.order())).toEqual(['run.started', 'finished 0'])
})

test('an order for two hosts is two runs, and each can be cancelled by its own order', async () => {
  const { store, runner, told } = rig({ connect: hostThat((_input, _output, signal) => untilAborted(signal)) })
  await runner.start()
  const [first, second] = [newId(), newId()]
  const base = { protocol: 1, site: newId(), at: 0, deadline: 1 }
  const runs = [first, second].map((run) => ({ run, host: newId() }))
  await store.write(() =>
    takeOrder(runner, { ...base, id: newId(), order: { kind: 'run-script', runs, text: 'true', user: 'root', timeoutSeconds: 86_400 } }),
  )
  for (const run of [first, second]) await expect.poll(() => told(run)).toEqual(['run.started'])
  await store.write(() => takeOrder(runner, { ...base, id: newId(), order: { kind: 'cancel-run', run: second } }))
  await expect.poll(() => told(second).at(-1)).toMatch(/^finished null cancelled/)
  expect(told(first)).toEqual(['run.started'])
})
