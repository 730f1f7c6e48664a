import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build, DEBIAN_SOURCES, findBuild } from '@bridgehead/manager/builders/build.ts'
import { BuildError } from '@bridgehead/manager/builders/confine/confine.ts'
import { type BuildManifest, BuildRequest, buildHash, type NewBuildRequest } from '@bridgehead/manager/builders/model.ts'
import { preAuthentication, provenanceOf, signEnvelope } from '@bridgehead/manager/builders/provenance.ts'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, expect, test } from 'vitest'

// Compiles GRUB and SYSLINUX from Debian's source: some ten minutes on two cores. Needs the archive that this machine's apt trusts.

const directory = mkdtempSync(join(tmpdir(), 'bh-builders-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** A manager's bucket and work directory, with nothing in them. */
function place(name: string) {
  const path = join(directory, name)
  return {
    path,
    workDirectory: join(path, 'work'),
    bucket: testBucket(join(path, 'bucket'), systemClock),
  }
}
const first = place('first')
const second = place('another-directory/of-another-length')

async function make(request: NewBuildRequest, { bucket, workDirectory }: ReturnType<typeof place>, more: { signal?: AbortSignal } = {}) {
  const steps: { fraction: number; text: string }[] = []
  const lines: string[] = []
  const manifest = await build(BuildRequest.parse(request), {
    bucket,
    workDirectory,
    apt: machineApt(),
    clock: systemClock,
    sources: DEBIAN_SOURCES,
    signal: new AbortController().signal,
    progress: (fraction, text) => void steps.push({ fraction, text }),
    log: (line) => void lines.push(line),
    ...more,
  })
  return { manifest, steps, lines }
}
const sums = (manifest: BuildManifest) => Object.fromEntries(manifest.outputs.map(({ name, sha256 }) => [name, sha256]))
const bytesOf = (name: string, manifest: BuildManifest, { bucket }: ReturnType<typeof place>) => {
  const sha256 = manifest.outputs.find((output) => output.name === name)?.sha256 ?? ''
  return readFileSync(bucket.path?.(sha256) ?? '')
}

test('SYSLINUX, twice in different directories: the same bytes', async () => {
  const { manifest, steps } = await make({ builder: 'syslinux' }, first)
  const again = await make({ builder: 'syslinux' }, second)
  expect(sums(again.manifest)).toEqual(sums(manifest))
  expect(manifest.source).toMatchObject({ kind: 'debian', name: 'syslinux' })
  expect(manifest.toolchain).toMatchObject({ gcc: expect.any(String), nasm: expect.any(String) })
  // The boot image table follows the first jump (SYSLINUX doc: isolinux.txt); PXE loaders fit below 0xa0000.
  expect(bytesOf('isolinux.bin', manifest, first).length % 2048).toBe(0)
  expect(bytesOf('mbr/isohdpfx.bin', manifest, first).length).toBeLessThanOrEqual(432)
  expect(bytesOf('ldlinux.c32', manifest, first).subarray(0, 4).toString('latin1')).toBe('\x7fELF')
  expect(bytesOf('pxelinux.0', manifest, first).toString('latin1')).toContain('PXELINUX')
  expect(steps.filter(({ text }) => /^\d+ of /.test(text)).length, 'progress by objects').toBeGreaterThan(500)
  expect(isRising(steps.map(({ fraction }) => fraction))).toBe(true)
})

test('the same request is the same build, without a compiler', async () => {
  const began = performance.now()
  const { manifest } = await make({ builder: 'syslinux' }, first)
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(manifest.hash).toBe((await make({ builder: 'syslinux' }, second)).manifest.hash)
})

test('provenance verifies with openssl', async () => {
  const { manifest } = await make({ builder: 'syslinux' }, first)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
  const envelope = signEnvelope(provenanceOf(manifest, 'urn:x'), { kid: 'k', kty: 'OKP', crv: 'Ed25519', x, d })
  const at = (name: string) => join(directory, name)
  writeFileSync(at('key.pem'), publicKey.export({ format: 'pem', type: 'spki' }))
  writeFileSync(at('signed'), preAuthentication(envelope.payloadType, Buffer.from(envelope.payload, 'base64')))
  writeFileSync(at('signature'), Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'))
  const verify = ['pkeyutl', '-verify', '-pubin', '-inkey', at('key.pem'), '-rawin', '-in', at('signed'), '-sigfile', at('signature')]
  expect(execFileSync('openssl', verify, { encoding: 'utf8' })).toContain('Verified Successfully')
})

test('a source with a mistake fails with the compiler’s first error', async () => {
  const work = join(directory, 'mistake')
  mkdirSync(join(work, 'syslinux-9.9'), { recursive: true })
  writeFileSync(join(work, 'syslinux-9.9/main.c'), 'int main(void) { return missing; }\n')
  writeFileSync(join(work, 'syslinux-9.9/Makefile'), 'bios: main.o\n')
  execFileSync('tar', ['-C', work, '-czf', join(work, 'x.tar.gz'), 'syslinux-9.9'])
  const stored = await first.bucket.put(readFileSync(join(work, 'x.tar.gz')), { name: 'x.tar.gz' })
  const source = { kind: 'upload', sha256: stored.sha256, name: 'syslinux', version: '9.9' } as const
  const error = await make({ builder: 'syslinux', source }, first).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(BuildError)
  expect((error as BuildError).message).toMatch(/^main\.c:1:\d+: error: .missing. undeclared/)
})

test('killed in the middle: no process, no artifact is left, and the next try ends well', async () => {
  const where = place('killed')
  mkdirSync(where.path, { recursive: true })
  const request = BuildRequest.parse({ builder: 'syslinux' })
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'builders-process.ts'), where.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const compiling = Promise.withResolvers<void>()
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('objects')) compiling.resolve()
    })
    await compiling.promise
    await sleep(round * 1_500)
    expect(insideSandboxes(), 'the build runs').not.toEqual([])
    child.kill('SIGKILL')
    await expect.poll(insideSandboxes, { timeout: 10_000, interval: 50 }).toEqual([])
    expect(await findBuild(where.bucket, buildHash(request, [{ kind: 'debian', package: 'syslinux' }]))).toBeUndefined()
    expect(existsSync(join(where.path, 'bucket/documents/builds'))).toBe(false)
  }
  const { manifest } = await make({ builder: 'syslinux' }, where)
  expect(sums(manifest)).toEqual(sums((await make({ builder: 'syslinux' }, first)).manifest))
  expect(readdirSync(where.workDirectory).filter((name) => name.startsWith('tmp-'))).toEqual([])
})

test('cancelled in the middle: the same', async () => {
  const where = place('cancelled')
  const stop = new AbortController()
  const request = { builder: 'grub', targets: ['i386-pc/core.img'] } satisfies NewBuildRequest
  const cancelled = make(request, where, { signal: stop.signal })
  cancelled.catch(() => undefined) // looked at below
  await expect.poll(insideSandboxes, { timeout: 120_000, interval: 200 }).not.toEqual([])
  stop.abort(new Error('cancelled by somebody'))
  await expect(cancelled).rejects.toThrow('cancelled by somebody')
  expect(insideSandboxes()).toEqual([])
  expect(readdirSync(where.workDirectory).filter((name) => name.startsWith('tmp-'))).toEqual([])
})

const GRUB = [
  { target: 'i386-pc/grub.pxe', twice: true, check: (bytes: Buffer) => bytes.length < 600_000 },
  { target: 'x86_64-efi/grubx64.efi', twice: false, check: (bytes: Buffer) => machineOf(bytes) === 0x8664 },
  { target: 'arm64-efi/grubaa64.efi', twice: false, check: (bytes: Buffer) => machineOf(bytes) === 0xaa64 },
] as const

for (const { target, twice, check } of GRUB)
  test(`GRUB for ${target}${twice ? ', twice in different directories: the same bytes' : ''}`, async () => {
    const request = { builder: 'grub', targets: [target], config: 'echo hello from the early configuration\n' } satisfies NewBuildRequest
    const { manifest, steps } = await make(request, first)
    expect(check(bytesOf(target, manifest, first))).toBe(true)
    expect(steps.filter(({ text }) => / of \d+ objects/.test(text)).length).toBeGreaterThan(200)
    expect(isRising(steps.map(({ fraction }) => fraction))).toBe(true)
    if (twice) expect(sums((await make(request, second)).manifest)).toEqual(sums(manifest))

    const began = performance.now()
    const other = await make({ ...request, config: 'echo something else\n', modules: ['normal', 'http', 'test'] }, first)
    expect(performance.now() - began, 'another image needs no compiler').toBeLessThan(5_000)
    expect(sums(other.manifest)).not.toEqual(sums(manifest))
    expect(other.lines.filter((line) => line.includes(' -c '))).toEqual([])
  })

const HELLO = 'hello from what was built here'
const BOOTS = [
  {
    what: 'GRUB by PXE',
    target: 'i386-pc/grub.pxe',
    config: `serial --speed=115200\nterminal_output serial\necho ${HELLO}\nsleep 60\n`,
    qemu: byPxe,
  },
  { what: 'GRUB on UEFI', target: 'x86_64-efi/grubx64.efi', config: `echo ${HELLO}\nsleep 60\n`, qemu: byOvmf },
  { what: 'GRUB on UEFI of arm64', target: 'arm64-efi/grubaa64.efi', config: `echo ${HELLO}\nsleep 60\n`, qemu: byAavmf },
] as const

for (const { what, target, config, qemu } of BOOTS)
  test(`${what} boots and runs its early configuration`, async () => {
    const { manifest } = await make({ builder: 'grub', targets: [target], config }, first)
    await boots(qemu(bytesOf(target, manifest, first)))
  })

test('PXELINUX boots and reads its configuration', async () => {
  const { manifest } = await make({ builder: 'syslinux', targets: ['pxelinux.0', 'ldlinux.c32'] }, first)
  const argv = byPxe(bytesOf('pxelinux.0', manifest, first))
  const folder = servedBy(argv)
  writeFileSync(join(folder, 'ldlinux.c32'), bytesOf('ldlinux.c32', manifest, first))
  mkdirSync(join(folder, 'pxelinux.cfg'))
  writeFileSync(join(folder, 'pxelinux.cfg/default'), `SERIAL 0 115200\nSAY ${HELLO}\nPROMPT 1\n`)
  await boots(argv)
})

test('a module that GRUB does not have is named, with those that it has', async () => {
  const wrong = make({ builder: 'grub', targets: ['i386-pc/core.img'], modules: ['normal', 'efinet'] }, first)
  await expect(wrong).rejects.toMatchObject({
    reason: 'option',
    message: expect.stringMatching(/i386-pc has no efinet; it has .*\bnormal\b/),
  })
})

/** Processes of a sandbox that has a tree of these tests: by what is mounted in it, or by bubblewrap's arguments. */
function insideSandboxes(): string[] {
  const mark = basename(directory)
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    const mounted = readProc(pid, 'mountinfo').split('\n')
    const command = readProc(pid, 'cmdline')
    return (
      mounted.some((line) => line.includes(mark) && line.includes(' /build ')) || (command.includes('bwrap\0') && command.includes(mark))
    )
  })
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

function byPxe(loader: Buffer): string[] {
  const folder = mkdtempSync(join(directory, 'tftp-'))
  writeFileSync(join(folder, 'loader'), loader)
  const network = [
    '-netdev',
    `user,id=net,restrict=on,tftp=${folder},bootfile=loader`,
    '-device',
    'virtio-net-pci,netdev=net',
    '-boot',
    'n',
  ]
  return ['qemu-system-x86_64', '-m', '128', ...network]
}
const servedBy = (argv: readonly string[]) => argv.join(' ').match(/tftp=([^,]+)/)?.[1] ?? ''
function byOvmf(loader: Buffer): string[] {
  return ['qemu-system-x86_64', '-m', '256', '-bios', '/usr/share/ovmf/OVMF.fd', ...onDisk('BOOTX64.EFI', loader)]
}
function byAavmf(loader: Buffer): string[] {
  const machine = ['-machine', 'virt', '-cpu', 'cortex-a57', '-m', '256', '-bios', '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd']
  return ['qemu-system-aarch64', ...machine, ...onDisk('BOOTAA64.EFI', loader)]
}
function onDisk(name: string, loader: Buffer): string[] {
  const folder = mkdtempSync(join(directory, 'disk-'))
  mkdirSync(join(folder, 'EFI/BOOT'), { recursive: true })
  writeFileSync(join(folder, 'EFI/BOOT', name), loader)
  return ['-drive', `if=none,id=disk,format=raw,file=fat:rw:${folder}`, '-device', 'virtio-blk-pci,drive=disk', '-net', 'none']
}

/** Resolves once the machine's serial console says HELLO; throws with what it said instead. */
async function boots([program = '', ...argv]: readonly string[]): Promise<void> {
  const child = spawn(program, [...argv, '-nographic', '-no-reboot'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('latin1').on('data', (text: string) => {
      said += text
    })
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    await expect.poll(() => said, { timeout: 120_000, interval: 100 }).toContain(HELLO)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => number >= (numbers[index - 1] ?? 0))
}

/** COFF machine of a PE file (Microsoft PE format, "COFF File Header"). */
function machineOf(bytes: Buffer): number {
  return bytes.readUInt16LE(bytes.readUInt32LE(0x3c) + 4)
}
