import { execFileSync } from 'node:child_process'
import { createReadStream, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BuildError, type Limits } from '@bridgehead/manager/builders/confine/confine.ts'
import { artifactName, type SourceRef } from '@bridgehead/manager/builders/sources/source.ts'
import { unpackSource } from '@bridgehead/manager/builders/sources/unpack.ts'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, expect, test } from 'vitest'
import { canConfine } from '../lab/confinement.ts'

const confined = await canConfine()
const directory = mkdtempSync(join(tmpdir(), 'bh-unpack-'))
const bucket = testBucket(join(directory, 'bucket'), systemClock)
afterAll(() => rmSync(directory, { recursive: true }))

let made = 0
const folder = () => {
  const path = join(directory, `folder-${made++}`)
  mkdirSync(path)
  return path
}
const sh = (cwd: string, script: string) => execFileSync('sh', ['-euc', script], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })

/** A tarball that a script makes as `../x.tar` of what it puts into an empty directory. */
async function tarball(script: string): Promise<SourceRef> {
  const parent = folder()
  mkdirSync(join(parent, 'inside'))
  sh(join(parent, 'inside'), script)
  const stored = await bucket.put(createReadStream(join(parent, 'x.tar')), { name: 'x.tar' })
  return { kind: 'upload', name: 'x', version: '1', files: [{ ...stored, name: 'x.tar' }], from: 'upload' }
}
const unpack = (ref: SourceRef, to = join(folder(), 'tree'), limits?: Limits) =>
  unpackSource(ref, to, {
    bucket,
    signal: new AbortController().signal,
    workDirectory: join(directory, 'work'),
    log: () => undefined,
    ...(limits ? { limits } : {}),
  })

for (const { packed, script } of [
  { packed: 'gzip', script: 'mkdir -p x-1/src; echo "int x;" > x-1/src/a.c; ln -s src/a.c x-1/link; tar -czf ../x.tar x-1' },
  { packed: 'xz', script: 'mkdir -p x-1/src; echo "int x;" > x-1/src/a.c; ln -s src/a.c x-1/link; tar -cJf ../x.tar x-1' },
  { packed: 'zstd', script: 'mkdir -p x-1/src; echo "int x;" > x-1/src/a.c; ln -s src/a.c x-1/link; tar --zstd -cf ../x.tar x-1' },
])
  test.runIf(confined)(
    `a tarball packed by ${packed} is unpacked, its one directory is the root, all its files have one time`,
    async () => {
      const { root, epoch } = await unpack(await tarball(script))
      expect(readFileSync(join(root, 'link'), 'utf8')).toBe('int x;\n')
      expect([statSync(join(root, 'src/a.c')).mtimeMs, statSync(root).mtimeMs]).toEqual([epoch * 1000, epoch * 1000])
    },
  )

test.runIf(confined)('a tarball without a directory of its own is unpacked as it is', async () => {
  const { root } = await unpack(await tarball('echo a > a; echo b > b; tar -cf ../x.tar .'))
  expect(readFileSync(join(root, 'b'), 'utf8')).toBe('b\n')
})

for (const { what, script, says } of [
  {
    what: 'an absolute path',
    script: 'echo x > a; tar -P --transform="s,^a,/tmp/bh-evil," -cf ../x.tar a',
    says: 'a path that leads outside: /tmp/bh-evil',
  },
  {
    what: 'a path upwards',
    script: 'echo x > a; tar -P --transform="s,^a,b/../../evil," -cf ../x.tar a',
    says: 'a path that leads outside',
  },
  {
    what: 'an absolute link',
    script: 'ln -s /etc/passwd config.h; tar -cf ../x.tar config.h',
    says: 'a link that leads outside: ./config.h -> /etc/passwd',
  },
  { what: 'a link upwards', script: 'mkdir a; ln -s ../../../etc/passwd a/b; tar -cf ../x.tar a', says: 'a link that leads outside' },
  { what: 'a pipe', script: 'mkfifo pipe; tar -cf ../x.tar pipe', says: 'holds ./pipe, which is no ordinary file' },
  { what: 'something else', script: 'head -c 5000 /dev/urandom > ../x.tar', says: 'cannot be unpacked' },
  {
    what: 'half a tarball',
    script: 'head -c 100000 /dev/urandom > a; tar -czf ../y.tar a; head -c 50000 ../y.tar > ../x.tar',
    says: 'cannot be unpacked',
  },
])
  test.runIf(confined)(`a tarball with ${what} is refused`, async () => {
    const error = await unpack(await tarball(script)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(BuildError)
    expect((error as BuildError).message).toContain(says)
    expect((error as BuildError).reason).toBe('source')
  })

test.runIf(confined)('a tarball that grows beyond all bounds is stopped', async () => {
  const bomb = await tarball('truncate -s 100M zero; tar -czf ../x.tar zero')
  const limits = { seconds: 60, memoryMiB: 256, processes: 16, outputMiB: 20 }
  await expect(unpack(bomb, undefined, limits)).rejects.toMatchObject({ reason: 'output', message: expect.stringContaining('20 MiB') })
})

test.runIf(confined)('a Debian source package is unpacked with its patches', async () => {
  const work = folder()
  writeFileSync(join(work, 'build.sh'), DEBIAN)
  sh(work, 'sh build.sh')
  const files = []
  for (const name of ['hello_1.0~rc1-1.dsc', 'hello_1.0~rc1.orig.tar.gz', 'hello_1.0~rc1-1.debian.tar.xz']) {
    const stored = await bucket.put(createReadStream(join(work, name)), { name: artifactName(name) })
    files.push({ ...stored, name: artifactName(name) })
  }
  const { root, epoch } = await unpack({ kind: 'debian', name: 'hello', version: '1.0~rc1-1', files, from: 'http://mirror.example/' })
  expect(readFileSync(join(root, 'hello.c'), 'utf8')).toBe('int patched;\n')
  expect(epoch).toBe(1_700_000_000)
  expect(lstatSync(join(root, 'hello.c')).mtimeMs).toBe(1_700_000_000_000)
})

/** Makes a source package with one patch. */
const DEBIAN = `set -e
mkdir -p hello-1.0~rc1 && cd hello-1.0~rc1
echo 'int plain;' > hello.c
tar -C .. -czf ../hello_1.0~rc1.orig.tar.gz hello-1.0~rc1
mkdir -p debian/source debian/patches
echo '3.0 (quilt)' > debian/source/format
printf 'Source: hello\\nMaintainer: A <a@example.com>\\n\\nPackage: hello\\nArchitecture: any\\nDescription: x\\n' > debian/control
printf 'hello (1.0~rc1-1) unstable; urgency=low\\n\\n  * New.\\n\\n -- A <a@example.com>  Tue, 14 Nov 2023 22:13:20 +0000\\n' > debian/changelog
echo one.patch > debian/patches/series
printf -- '--- a/hello.c\\n+++ b/hello.c\\n@@ -1 +1 @@\\n-int plain;\\n+int patched;\\n' > debian/patches/one.patch
cd .. && dpkg-source -b hello-1.0~rc1
`
