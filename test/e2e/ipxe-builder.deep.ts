import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'
import { readFamily, readProcess } from '../../manager/builders/confine/processes.ts'
import { buildIpxe, type IpxeBuild } from '../../manager/builders/ipxe/build.ts'
import { IpxeTarget } from '../../manager/builders/ipxe/request.ts'
import { RSA_CA } from '../../manager/builders/ipxe/testing-certificates.ts'
import { unpackSource } from '../../manager/builders/sources/unpack.ts'
import { findIpxeSource, IpxeRequest, ipxeDeps } from '../lab/ipxe-source.ts'
import { waitFor } from '../lab/wait.ts'
import { say } from './rig.ts'

const WARM_KILLS = 16
const COLD_KILLS = 4
const KILLED_PROCESS = fileURLToPath(new URL('../lab/ipxe-build-process.ts', import.meta.url))

const directory = await mkdtemp(join(tmpdir(), 'bridgehead-ipxe-'))
afterAll(() => rm(directory, { recursive: true, force: true }))
const deps = ipxeDeps(directory)
const found = await findIpxeSource(deps)

if ('why' in found)
  test('no source of iPXE can be had here, so that none is compiled', () => {
    say(`iPXE is not compiled: ${found.why}`)
    expect(found.why).toContain('Tried: (1) Debian source package ipxe')
  })
else deepTests(found.source)

function deepTests(source: Parameters<typeof buildIpxe>[1]): void {
  const marked = (mark: string) => `#!ipxe\necho ${mark}\n:end\nsleep 600\ngoto end\n`
  const request = (targets: readonly IpxeTarget[], mark: string, options: object = {}) =>
    IpxeRequest.parse({ builder: 'ipxe', targets, options: { serial: {}, https: true, ...options }, script: marked(mark) })
  const build = (wish: IpxeRequest, where = deps) => buildIpxe(wish, source, where)
  const bytesOf = async (built: IpxeBuild, target: IpxeTarget, where = deps) => {
    const output = built.outputs.find((one) => one.name === target)
    if (!output) throw new Error(`no ${target} was built`)
    return buffer(await where.bucket.get(output.sha256))
  }
  let first: IpxeBuild

  test('every target is built, with script and the own root of trust', async () => {
    const seen: number[] = []
    const progress = (fraction: number) => void seen.push(fraction)
    first = await build(request(IpxeTarget.options, 'every-target', { trust: RSA_CA }), { ...deps, progress })
    say(`iPXE ${source.version}: ${first.makes.map(({ platform, seconds }) => `${platform} ${seconds.toFixed(0)} s`).join(', ')}`)
    expect(first.outputs.map(({ name }) => name)).toEqual(IpxeTarget.options)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(new Set(seen).size).toBeGreaterThan(500)
    const root = createHash('sha256')
      .update(Buffer.from(RSA_CA.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
      .digest()
    for (const target of IpxeTarget.options.filter((one) => one.endsWith('.efi'))) {
      const bytes = await bytesOf(first, target)
      expect(bytes.includes('echo every-target'), `${target} has the script`).toBe(true)
      expect(bytes.includes(root), `${target} trusts the given root`).toBe(true)
    }
  })

  test('a loader for BIOS runs its script', async () => {
    expect(await bootsTo(await bytesOf(first, 'bin/ipxe.lkrn'), 'every-target')).toContain('every-target')
  })

  test('the same request again gives the same bytes', async () => {
    const again = await build(request(IpxeTarget.options, 'every-target', { trust: RSA_CA }))
    expect(again.makes.map(({ began }) => began)).toEqual(['warm', 'warm', 'warm'])
    expect(again.outputs).toEqual(first.outputs)
  })

  test('other options begin with the objects there are, and give what a build from nothing in another place gives', async () => {
    const other = ipxeDeps(join(directory, 'elsewhere'))
    for (const file of source.files) await other.bucket.put(await deps.bucket.get(file.sha256), file)
    const wish = request(['bin-x86_64-efi/snponly.efi'], 'derived', {
      nfs: true,
      syslog: { level: 'debug' },
      imageTrust: true,
      trust: RSA_CA,
    })
    const derived = await build(wish)
    expect(derived.makes[0]?.began).toBe('derived')
    const cold = await build(wish, other)
    expect(cold.makes[0]?.began).toBe('cold')
    expect(derived.outputs).toEqual(cold.outputs)
  })

  test('four scripts at once give four loaders, each with its own', async () => {
    const marks = ['alpha', 'bravo', 'charlie', 'delta']
    const targets = ['bin/ipxe.lkrn', 'bin-x86_64-efi/snponly.efi'] as const
    const built = await Promise.all(marks.map((mark) => build(request(targets, `mark-${mark}`, { trust: RSA_CA }))))
    for (const [index, one] of built.entries()) {
      const efi = await bytesOf(one, 'bin-x86_64-efi/snponly.efi')
      expect(marks.filter((mark) => efi.includes(`mark-${mark}`))).toEqual([marks[index]])
      expect(await bootsTo(await bytesOf(one, 'bin/ipxe.lkrn'), 'mark-')).toContain(`mark-${marks[index]}`)
    }
  })

  test('a source that does not compile fails with the first error of the compiler', async () => {
    const broken = await brokenSource()
    const building = buildIpxe(request(['bin/undionly.kpxe'], 'broken'), broken, deps)
    await expect(building).rejects.toMatchObject({
      code: 'build',
      reason: 'exit',
      message: expect.stringMatching(/^core\/main\.c:\d+:\d+: error: .*this_is_no_type/),
    })
  })

  test('what a version does not know is refused by the name of the option', async () => {
    const older = await brokenSource(['config/general.h', 'config/config.c'], (text) => text.replaceAll('PING_CMD', 'PONG_CMD'))
    const building = buildIpxe(request(['bin/undionly.kpxe'], 'unknown'), older, deps)
    await expect(building).rejects.toMatchObject({ code: 'build', reason: 'option', message: expect.stringContaining('ping: ') })
  })

  test(`kill -9 in mid-make, ${WARM_KILLS} times in a warm tree: nothing is left, and the next build is right`, async () => {
    const wishes = ['even', 'odd'].map((mark) => request(['bin/undionly.kpxe'], `kill-${mark}`, { trust: RSA_CA }))
    const right: IpxeBuild['outputs'][] = []
    for (const wish of wishes) right.push((await build(wish)).outputs)
    const began: string[] = []
    for (let kill = 0; kill < WARM_KILLS; kill++) {
      const [wish, expected] = [wishes[kill % 2], right[kill % 2]]
      if (!wish) throw new Error('no request')
      await killAfter(directory, source, wish, 150 + Math.random() * 3_000)
      await expectWhole()
      const next = await build(wish)
      expect(next.outputs).toEqual(expected)
      began.push(next.makes[0]?.began ?? '')
    }
    say(`trees after ${WARM_KILLS} kills: ${began.join(' ')}`)
    expect(began).toContain('repaired')
  })

  test(`kill -9 in mid-make, ${COLD_KILLS} times in one cold tree: the work is kept, and the loader is right`, async () => {
    const where = join(directory, 'killed')
    const others = ipxeDeps(where)
    for (const file of source.files) await others.bucket.put(await deps.bucket.get(file.sha256), file)
    const wish = request(['bin/undionly.kpxe'], 'cold-kill', { trust: RSA_CA })
    for (let kill = 1; kill <= COLD_KILLS; kill++) await killAfter(where, source, wish, 5_000 + kill * 10_000 * Math.random())
    const after = await build(wish, others)
    say(`after ${COLD_KILLS} kills: ${after.makes.map(({ began, seconds }) => `${began}, ${seconds.toFixed(0)} s`).join()}`)
    expect(after.makes[0]?.began).toBe('repaired')
    expect(after.outputs).toEqual((await build(wish)).outputs)
  })

  /** Everything in the bucket is what its name says. */
  async function expectWhole(): Promise<void> {
    for await (const { sha256 } of deps.bucket.list()) {
      const bytes = await buffer(await deps.bucket.get(sha256))
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
    }
  }

  /** The source with files spoiled, as an operator's tarball. */
  async function brokenSource(files = ['core/main.c'], spoil = (text: string) => `${text}\nthis_is_no_type spoiled;\n`) {
    const work = await mkdtemp(join(directory, 'broken-'))
    const { root } = await unpackSource(source, join(work, 'unpacked'), deps)
    await execa('cp', ['-r', root, join(work, 'ipxe-0.0.1')])
    for (const file of files) {
      const path = join(work, 'ipxe-0.0.1', 'src', file)
      await writeFile(path, spoil(await readFile(path, 'utf8')))
    }
    await execa('tar', ['-C', work, '-cf', join(work, 'ipxe-0.0.1.tar'), 'ipxe-0.0.1'])
    const tarball = await findIpxeSource(deps, join(work, 'ipxe-0.0.1.tar'))
    if ('why' in tarball) throw new Error(tarball.why)
    return tarball.source
  }
}

/** Starts a build in a process of its own and kills it after `ms`, or when it ends by itself; waits until nothing of it runs. */
async function killAfter(where: string, source: object, request: object, ms: number): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', KILLED_PROCESS, where, JSON.stringify(source), JSON.stringify(request)],
    {
      stdio: 'ignore',
    },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const family = await watchFamily(child, Promise.race([ended, new Promise((resolve) => setTimeout(resolve, ms))]))
  child.kill('SIGKILL')
  await ended
  await waitFor('all processes of the killed build to end', async () => (await stillThere(family)).length === 0 || undefined, {
    ms: 10_000,
    details: () => JSON.stringify([...family.values()]),
  })
}

/** Every process that the child ever was seen to have, until `end`. Start times, because process ids come again. */
async function watchFamily(child: ChildProcess, end: Promise<unknown>): Promise<Map<number, string>> {
  const family = new Map<number, string>()
  let over = false
  const done = end.then(() => {
    over = true
  })
  while (!over) {
    for (const { pid, startedAt } of await readFamily(child.pid ?? 0)) family.set(pid, startedAt)
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  for (const { pid, startedAt } of await readFamily(child.pid ?? 0)) family.set(pid, startedAt)
  return family
}

async function stillThere(family: ReadonlyMap<number, string>): Promise<number[]> {
  const there: number[] = []
  for (const [pid, startedAt] of family) {
    const now = await readProcess(pid)
    if (now?.startedAt === startedAt && now.state !== 'Z') there.push(pid)
  }
  return there
}

/** What a machine with this kernel-like loader says on its serial port until `mark` appears, and a little longer. */
async function bootsTo(loader: Buffer, mark: string): Promise<string> {
  const file = join(directory, 'boot.lkrn')
  await writeFile(file, loader)
  const machine = ['-accel', 'tcg', '-m', '128', '-display', 'none', '-monitor', 'none', '-net', 'none', '-no-reboot']
  const child = spawn('qemu-system-x86_64', [...machine, '-serial', 'stdio', '-kernel', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  try {
    await waitFor(`"${mark}" on the serial port`, () => new RegExp(`${mark}\\S*\\s`).test(said) || undefined, {
      ms: 120_000,
      details: () => said.slice(-500),
    })
    return said
  } finally {
    child.kill('SIGKILL')
  }
}
