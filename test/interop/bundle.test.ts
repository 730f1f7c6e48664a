import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import { systemClock as clock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { fingerprintOf } from '@bridgehead/shared/model/signed.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createOfflineManager, type OfflineBundle, type OfflineManager } from '../lab/offline.ts'
import { siteStore } from '../lab/site-store.ts'
import { waitFor } from '../lab/wait.ts'
import { freePort } from './free-port.ts'

// The appliance as it is shipped, and bundles, and nothing else: no manager listens anywhere.

const directory = mkdtempSync(join(tmpdir(), 'bh-bundle-'))
const LAN = { name: 'lan', subnet: '127.0.0.0/8', address: '127.0.0.1', mode: 'observe' } as const
const kernelBytes = randomBytes(3_000_017)
const loaderBytes = randomBytes(70_001)
let main: string
let manager: OfflineManager
let kernel: ArtifactRef
let loader: ArtifactRef
let image: ArtifactRef
let first: OfflineBundle
let second: OfflineBundle

beforeAll(async () => {
  const built = await buildAppliance({ outdir: join(directory, 'dist'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })
  mkdirSync(join(directory, 'alone'))
  for (const { name } of built.files) if (!name.endsWith('.map')) cpSync(name, join(directory, 'alone', name.split('/').at(-1) ?? ''))
  main = join(directory, 'alone', 'main.mjs')
  manager = createOfflineManager(join(directory, 'bucket'))
  kernel = await manager.put(kernelBytes, 'vmlinuz')
  loader = await manager.put(loaderBytes, 'undionly.kpxe')
  image = await manager.put(randomBytes(40_000_000), 'disk.raw.zst')
  const stick = await manager.put(Buffer.from('a stick'), 'far-away.img')
  const initrd = await manager.put(randomBytes(500_000), 'deploy.cpio.zst')
  const small = { kernel, initrd, cmdline: 'quiet' }
  const loaders = { 'undionly.kpxe': loader }
  first = await manager.bundle({ revision: 1, lan: LAN, target: small, loaders, media: [stick] })
  second = await manager.bundle({ revision: 2, lan: LAN, target: { ...small, image, imageBytes: 41_943_040 }, loaders })
})
afterAll(() => rmSync(directory, { recursive: true }))

const children: ChildProcess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.on('close', resolve))
  }
})

function run(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { cwd: join(directory, 'alone'), env: { PATH: '/usr/bin:/bin', ...env } })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (part) => {
    said.out += part
  })
  child.stderr.on('data', (part) => {
    said.err += part
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  const runs = () => waitFor('the appliance to run', () => (said.err.includes('"event":"appliance.started"') ? true : undefined))
  return { child, ended, said, runs }
}

/** A box that was never enrolled and knows no manager. */
async function box() {
  const home = mkdtempSync(join(directory, 'box-'))
  const file = join(home, 'bridgehead.json')
  const data = join(home, 'data')
  writeFileSync(file, '{}')
  const [http, tftp] = [await freePort(), await freePort()]
  const ports = `dhcp=${await freePort()},pxe=${await freePort()},dns=${await freePort()},tftp=${tftp},http=${http}`
  const url = `http://127.0.0.1:${http}`
  return {
    data,
    start: () => run(['--config', file, '--data', data], { BRIDGEHEAD_PORTS: ports }),
    begin: (bundle: string, ...more: string[]) => run(['import', bundle, '--data', data, ...more]),
    async import(bundle: string, ...more: string[]) {
      const { ended, said } = this.begin(bundle, ...more)
      return { status: await ended, ...said }
    },
    get: async (path: string) => Buffer.from(await (await fetch(path.startsWith('http') ? path : `${url}${path}`)).arrayBuffer()),
    tftp: async (name: string) =>
      (await execa('curl', ['-sS', '--max-time', '20', `tftp://127.0.0.1:${tftp}/${name}`], { encoding: 'buffer' })).stdout,
    /** Waits until this machine is told to install itself; the URL of its kernel. */
    installs: () => waitFor('an install script', async () => /kernel (\S+)/.exec(await scriptOf(url))?.[1], { ms: 20_000 }),
  }
}
const scriptOf = (url: string) =>
  fetch(`${url}/boot/script?mac=${newMac()}&platform=pcbios&arch=i386`).then(
    (answer) => answer.text(),
    () => '',
  )
/** A machine that has begun to install too often is told to boot its disk; so each question is another machine's. */
const newMac = () => `52:54:00:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
const leftIn = (data: string) => readdirSync(join(data, 'import')).filter((name) => !/\.lock|^outcome.json$/.test(name))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('a box that belongs to nobody asks for a person, is set up by --trust, and serves an install by HTTP and TFTP', async () => {
  const one = await box()
  const unasked = await one.import(first.file)
  expect(unasked).toMatchObject({ status: 1, err: expect.stringContaining(first.order.fingerprint) })
  expect(unasked.err).toContain('this box belongs to no site yet')
  const wrong = await one.import(first.file, '--trust', 'ab'.repeat(32))
  expect(wrong.err).toContain(`no key of this bundle has the fingerprint ${'ab'.repeat(32)}`)
  expect(existsSync(join(one.data, 'appliance.sqlite'))).toBe(false)

  const done = await one.import(first.file, '--trust', first.order.fingerprint.toUpperCase(), '--media', join(one.data, 'media'))
  expect(done).toMatchObject({ status: 0, out: expect.stringContaining('takes it in when it starts') })
  expect(readFileSync(join(one.data, 'media', 'far-away.img'), 'utf8')).toBe('a stick')

  const daemon = one.start()
  const url = await one.installs()
  expect(sha256(await one.get(url))).toBe(kernel.sha256)
  expect((await one.tftp('undionly.kpxe')).length).toBe(loaderBytes.length)
  expect(sha256(await one.tftp('undionly.kpxe'))).toBe(loader.sha256)
  expect(sha256(await one.get('/loaders/undionly.kpxe'))).toBe(loader.sha256)
  expect(leftIn(one.data)).toEqual([])
  expect(daemon.said.err).toContain('"event":"bundle.adopted"')
  expect(daemon.said.err).toContain('"event":"enrol.offline"')
  expect(daemon.said.err).not.toMatch(/"level":(50|60)/)

  daemon.child.kill('SIGKILL')
  await daemon.ended
  one.start() // a cold start, with nothing but its own store
  expect(sha256(await one.get(await one.installs()))).toBe(kernel.sha256)
  expect(siteStore(one.data).factIds().length).toBeGreaterThanOrEqual(5) // started, ready (3), applied: they wait for an uplink
})

test('while the appliance runs it takes in the next revision; what it has is not written again; the last one is refused afterwards', async () => {
  const one = await box()
  const daemon = one.start()
  await daemon.runs()
  expect(await one.import(first.file, '--trust', first.order.fingerprint)).toMatchObject({
    status: 0,
    out: expect.stringContaining('the site runs on revision 1 now'),
  })
  await one.installs()
  const written = statSync(join(one.data, 'artifacts', kernel.sha256))
  const next = await one.import(second.file) // the key is known now
  expect(next).toMatchObject({ status: 0, out: expect.stringContaining('the site runs on revision 2 now') })
  expect(next.out).toContain('vmlinuz (3.0 MB): is here already')
  const after = statSync(join(one.data, 'artifacts', kernel.sha256))
  expect([after.ino, after.mtimeMs]).toEqual([written.ino, written.mtimeMs])
  expect(sha256(await one.get(`/artifacts/${image.sha256}/disk.raw.zst`))).toBe(image.sha256)

  expect(await one.import(second.file)).toMatchObject({ status: 0 }) // again: nothing changes
  expect(await one.import(first.file)).toMatchObject({
    status: 1,
    err: 'bridgehead import: the bundle holds revision 1; this site already runs revision 2\n',
  })
  const facts = daemon.said.err.split('\n').filter((line) => line.includes('"event":"state.applied"'))
  expect(facts).toHaveLength(2)
})

test('from standard input it works as well', async () => {
  const one = await box()
  await one.start().runs()
  const { child, ended, said } = one.begin('-', '--trust', first.order.fingerprint)
  child.stdin?.end(readFileSync(first.file))
  expect(await ended, said.err).toBe(0)
  expect(said.out).toContain('the site runs on revision 1 now')
})

test('killed at any moment, import and appliance end right when they run again', async () => {
  const one = await box()
  let daemon = one.start()
  await daemon.runs()
  await one.import(first.file, '--trust', first.order.fingerprint)
  let kills = 0
  for (let round = 0; round < 14; round++) {
    const importing = one.begin(second.file)
    const lines = round % 6 // it says a line for each file; so the kills fall into all of its parts
    await waitFor('its words', () => (importing.said.out.split('\n').length > lines ? true : undefined), { everyMs: 5 })
    await clock.sleep(Math.random() * (lines === 0 ? 300 : 60))
    if (round % 3 === 2) {
      daemon.child.kill('SIGKILL')
      await daemon.ended
      daemon = one.start()
    }
    if (importing.child.exitCode === null) kills++
    importing.child.kill('SIGKILL')
    await importing.ended
    // whichever revision it runs: all that its script names is there, whole
    expect(sha256(await one.get(await one.installs()))).toBe(kernel.sha256)
  }
  expect(kills).toBeGreaterThan(5)
  expect(await one.import(second.file)).toMatchObject({ status: 0, out: expect.stringContaining('revision 2 now') })
  expect(sha256(await one.get(`/artifacts/${image.sha256}/disk.raw.zst`))).toBe(image.sha256)
  expect(leftIn(one.data)).toEqual([])
  expect(readdirSync(join(one.data, 'artifacts')).filter((name) => name.endsWith('.part'))).toEqual([])
})

test('a bundle of another site, of another manager, cut short or damaged changes nothing', async () => {
  const one = await box()
  await one.start().runs()
  await one.import(first.file, '--trust', first.order.fingerprint)
  const target = { kernel, initrd: kernel, cmdline: '' }
  const elsewhere = await manager.bundle({ revision: 9, lan: LAN, target, loaders: {}, site: newId() })
  const stranger = createSigningKey()
  const foreign = await manager.bundle({ revision: 9, lan: LAN, target, loaders: {}, key: stranger })
  const whole = readFileSync(second.file)
  const damaged = Buffer.from(whole)
  const middle = whole.length >> 1 // inside the image, wherever that lies: what the box holds already is not read again
  damaged[middle] = (damaged[middle] ?? 0) ^ 1
  const made = (name: string, bytes: Buffer) => {
    const path = join(directory, name)
    writeFileSync(path, bytes)
    return path
  }
  for (const { file, says } of [
    { file: elsewhere.file, says: /is for site "far-away" \(.*\); this box belongs to "far-away"/ },
    { file: foreign.file, says: /not to be trusted: signed by key .*, which this side does not trust/ },
    { file: made('cut.tar', whole.subarray(0, whole.length - 5_000_000)), says: /was not copied whole/ },
    { file: made('damaged.tar', damaged), says: /is damaged in the file: its sha256 is/ },
    { file: made('text.tar', Buffer.from('not a tar at all'.repeat(100))), says: /cannot be read at the bundle's list/ },
    { file: join(directory, 'nothing.tar'), says: /ENOENT/ },
  ]) {
    const refused = await one.import(file)
    expect(refused, `${file}: ${refused.out}`).toMatchObject({ status: 1, err: expect.stringMatching(says) })
    expect(refused.err.trimEnd().split('\n')).toHaveLength(1)
  }
  expect(await one.import(second.file)).toMatchObject({ status: 0 })
  // Whoever may write this box's disk may also tell it to believe another manager.
  expect(await one.import(foreign.file, '--trust', await fingerprintOf(stranger))).toMatchObject({
    status: 0,
    out: expect.stringContaining('revision 9 now'),
  })
})

test('two imports at once: one of them is told to wait', async () => {
  const one = await box()
  const slow = one.begin('-', '--trust', first.order.fingerprint)
  slow.child.stdin?.write(readFileSync(first.file).subarray(0, 600))
  await waitFor('the lock', () => (existsSync(join(one.data, 'import', 'import.lock')) ? true : undefined))
  await clock.sleep(300)
  expect((await one.import(first.file, '--trust', first.order.fingerprint)).err).toContain('another import runs on this box')
})
