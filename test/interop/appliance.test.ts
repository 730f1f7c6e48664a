import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import { nodeOptions } from '@bridgehead/appliance/node-options.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { measureDaemon } from '../lab/daemon-cost.ts'
import { createOfflineManager } from '../lab/offline.ts'
import { type SmallManager, startSmallManager } from '../lab/small-manager.ts'
import { freePort } from './free-port.ts'

const directory = mkdtempSync(join(tmpdir(), 'bh-appliance-'))
const clock = systemClock

let main: string
let manager: SmallManager

/** The whole appliance, bundled and put into a folder where nothing else lies; a small manager stands beside it. */
beforeAll(async () => {
  const built = await buildAppliance({ outdir: join(directory, 'dist'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })
  const alone = join(directory, 'alone')
  mkdirSync(alone)
  for (const { name } of built.files) if (!name.endsWith('.map')) cpSync(name, join(alone, name.split('/').at(-1) ?? ''))
  main = join(alone, 'main.mjs')

  manager = await startSmallManager(join(directory, 'redis'), freePort)
})
afterAll(async () => {
  await manager.stop()
  rmSync(directory, { recursive: true })
})

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function run(args: string[], env: Record<string, string> = {}, flags: string[] = []) {
  const node = nodeOptions(dirname(main))
  const child = spawn(process.execPath, [...node.flags, ...flags, main, ...args], {
    cwd: dirname(main),
    env: { PATH: '/usr/bin:/bin', ...node.env, ...env },
  })
  children.push(child)
  let out = ''
  let err = ''
  child.stdout.on('data', (part) => {
    out += part
  })
  child.stderr.on('data', (part) => {
    err += part
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return { child, ended, out: () => out, err: () => err, has: (event: string) => err.includes(`"event":"${event}"`) }
}

async function box(flags: string[] = []) {
  const data = mkdtempSync(join(directory, 'data-'))
  const file = join(data, 'bridgehead.json')
  writeFileSync(file, JSON.stringify({ manager: manager.url, token: 'one-time-token-0123456789' }))
  const http = await freePort()
  const ports = `dhcp=${await freePort()},pxe=${await freePort()},dns=${await freePort()},tftp=${await freePort()},http=${http}`
  const start = () => run(['--config', file, '--data', join(data, 'site')], { BRIDGEHEAD_PORTS: ports }, flags)
  return { data: join(data, 'site'), file, start, script: () => fetch(`http://127.0.0.1:${http}/boot/start.ipxe`).then((it) => it.text()) }
}

test('the bundle says its version and its usage, and names a bad setting', async () => {
  const version = run(['--version'])
  expect(await version.ended).toBe(0)
  expect(version.out()).toMatch(/^\d+\.\d+\.\d+\n$/)
  const help = run(['--help'])
  expect(await help.ended).toBe(0)
  expect(help.out()).toContain('--config FILE')
  const wrong = run(['--config', '/nonexistent.json', '--data', directory])
  expect(await wrong.ended).toBe(2)
  expect(wrong.err()).toMatch(/--config: cannot read \/nonexistent\.json/)
})

test('it enrols, applies its state, and works from a cold start with manager and Redis gone', async () => {
  const one = await box()
  await manager.publish(1)
  const first = one.start()
  await until(() => [...manager.events.values()].some((event) => event.kind === 'state.applied'))
  expect(JSON.parse(readFileSync(one.file, 'utf8'))).toEqual({ manager: manager.url })
  await until(async () => (await one.script().catch(() => '')).startsWith('#!ipxe'))
  await until(() => [...manager.events.values()].some((event) => event.kind === 'appliance.started'))
  expect([...manager.events.values()].find((event) => event.kind === 'appliance.started')?.data).toMatchObject({
    version: expect.stringMatching(/^\d/),
    sshPublicKey: expect.stringMatching(/^ssh-ed25519 /),
  })
  for (const name of readdirSync(join(one.data, 'keys'))) expect(statSync(join(one.data, 'keys', name)).mode & 0o777, name).toBe(0o600)
  expect(manager.enrolments()).toBe(1)

  first.child.kill('SIGKILL')
  await first.ended
  await manager.stopRedis()
  const second = one.start()
  await until(async () => (await one.script().catch(() => '')).startsWith('#!ipxe'), 5_000)
  expect(second.has('link.failed') || !second.has('link.up')).toBe(true)
  expect(manager.enrolments()).toBe(1)

  await manager.startRedis()
  await manager.publish(2)
  await until(() => [...manager.events.values()].some((event) => event.kind === 'state.applied' && event.data.revision === 2), 60_000)
  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
  expect(second.has('appliance.stopped')).toBe(true)
  expect(second.has('appliance.bug')).toBe(false)
})

test('from a snapshot of itself it does the same, as often as it is started', async () => {
  const blob = join(directory, 'snapshot')
  const config = join(directory, 'snapshot.json')
  writeFileSync(config, JSON.stringify({ builder: main, withoutCodeCache: true })) // as image/root/usr/lib/bridgehead/supervisor does
  const made = run([], {}, ['--snapshot-blob', blob, '--build-snapshot-config', config])
  expect([await made.ended, made.err()]).toEqual([0, ''])
  const flags = ['--snapshot-blob', blob]
  const wrong = run(['--config', '/nonexistent.json', '--data', directory], {}, flags)
  expect(await wrong.ended).toBe(2)
  const one = await box(flags)
  const enrolments = manager.enrolments()
  const starts = () => [...manager.events.values()].filter(({ kind }) => kind === 'appliance.started').length
  const before = starts()
  await manager.publish(50)
  for (let start = 1; start <= 2; start++) {
    const running = one.start()
    await until(async () => running.has('link.up') && (await one.script().catch(() => '')).startsWith('#!ipxe'))
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(0)
    expect(running.has('appliance.bug')).toBe(false)
  }
  expect(manager.enrolments()).toBe(enrolments + 1)
  await manager.publish(51)
  one.start()
  await until(() => starts() === before + 3) // by id: what comes by chance is not in the snapshot
})

test('killed at any moment, it applies each state once and tells of it once', async () => {
  const one = await box()
  const enrolments = manager.enrolments()
  let revision = 100
  for (let round = 0; round < 5; round++) {
    const running = one.start()
    const end = clock.now() + 400 + Math.random() * 1_000
    while (clock.now() < end) {
      await manager.publish(++revision)
      await clock.sleep(10)
    }
    running.child.kill('SIGKILL')
    await running.ended
  }
  one.start()
  const told = () =>
    [...manager.events.values()].flatMap(({ kind, data }) =>
      kind === 'state.applied' && Number(data.revision) > 100 ? [data.revision] : [],
    )
  await manager.publish(++revision)
  await until(() => told().includes(revision))
  expect(new Set(told()).size).toBe(told().length)
  expect([...manager.events.values()].filter(({ kind }) => kind === 'state.refused')).toEqual([])
  expect(manager.enrolments()).toBe(enrolments + 1)
})

test('it idles in little memory', async () => {
  const { flags, env } = nodeOptions(dirname(main))
  const cost = { main, manager, revision: 50_000, node: [process.execPath, ...flags], env, directory, freePort }
  const { memory, dhcpMs } = await measureDaemon({ ...cost, idleMs: 12_000 })
  expect(memory.rss).toBeLessThan(70)
  process.stderr.write(
    `appliance: ${memory.rss} MiB RSS at idle (${memory.anon} of its own, ${memory.file} of program files); DHCP open after ${dhcpMs} ms\n`,
  )
})

test('a site that lived on offline bundles is connected later, and tells what happened meanwhile', async () => {
  const offline = createOfflineManager(join(directory, 'bucket'))
  const kernel = await offline.put(Buffer.from('kernel'), 'vmlinuz')
  const lan = { name: 'lan', subnet: '127.0.0.0/8', address: '127.0.0.1', mode: 'observe' as const }
  const target = { kernel, initrd: kernel, cmdline: '' }
  const bundle = await offline.bundle({ ...{ revision: 100_000, site: manager.site, key: manager.key }, lan, target, loaders: {} })
  const one = await box()
  writeFileSync(one.file, '{}')
  const importing = run(['import', bundle.file, '--data', one.data, '--trust', bundle.order.fingerprint])
  expect(await importing.ended, importing.err()).toBe(0)
  const before = manager.enrolments()
  const alone = one.start()
  await until(async () => (await one.script().catch(() => '')).startsWith('#!ipxe'))
  alone.child.kill('SIGKILL')
  await alone.ended
  expect(manager.enrolments()).toBe(before)

  const applied = () => [...manager.events.values()].flatMap(({ kind, data }) => (kind === 'state.applied' ? [data.revision] : []))
  expect(applied()).not.toContain(100_000)
  writeFileSync(one.file, JSON.stringify({ manager: manager.url, token: 'one-time-token-0123456789' }))
  one.start()
  await until(() => applied().includes(100_000))
  expect([...manager.events.values()].some(({ kind, data }) => kind === 'artifact.ready' && data.sha256 === kernel.sha256)).toBe(true)
  await manager.publish(100_001)
  await until(() => applied().includes(100_001))
  expect(manager.enrolments()).toBe(before + 1)
})

async function until(condition: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const end = clock.now() + limitMs
  while (!(await condition())) {
    if (clock.now() > end) throw new Error(`not within ${limitMs} ms: ${condition}`)
    await clock.sleep(50)
  }
}
