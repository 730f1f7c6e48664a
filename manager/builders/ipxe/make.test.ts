import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Confined } from '../confine/confine.ts'
import { type MakeJob, makeIn } from './make.ts'
import { planMake } from './make-plan.ts'
import { IpxeOptions } from './options.ts'
import { readSourceTree } from './source-tree.ts'
import type { Tree } from './trees.ts'

let directory: string
let tree: Tree
const SCRIPT = '#!ipxe\necho mine\n'

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-make-'))
  tree = { directory: join(directory, 'tree'), input: join(directory, 'input'), objects: 9, began: 'warm' }
  await mkdir(join(tree.directory, 'src', 'config', 'local'), { recursive: true })
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const jobFor = (
  headers: Record<string, string> = { 'general.h': '#undef A\n', 'usb.h': '' },
  script: { text: string | undefined } = { text: SCRIPT },
): MakeJob => ({
  platform: 'bin',
  targets: ['bin/undionly.kpxe'],
  make: planMake({
    platform: 'bin',
    targets: ['bin/undionly.kpxe'],
    options: IpxeOptions.parse({}),
    script: script.text,
    version: '2.0.0',
    epoch: 1_000,
    machine: 'x64',
    jobs: 1,
  }),
  headers,
  script: script.text,
  sources: 10,
  epoch: 1_000,
})

/** Stands for make: embeds what lies in the input, or what it is told. */
const make = ({ embeds, before }: { embeds?: string; before?: () => Promise<void> } = {}) => ({
  async run(what: Confined) {
    await before?.()
    const embedded = embeds ?? (await readFile(join(what.readOnly[0]?.from ?? '', 'embedded.ipxe'), 'utf8').catch(() => ''))
    await writeFile(join(tree.directory, 'src', 'bin', 'embedded.o'), `object ${embedded} end`)
    await writeFile(join(tree.directory, 'src', 'bin', 'undionly.kpxe'), 'loader')
    await what.onLine('  [BUILD] bin/embedded.o')
    return { seconds: 1 }
  },
  log: () => undefined,
  progress: () => undefined,
  signal: new AbortController().signal,
})

test('what make left is handed out', async () => {
  const made = await makeIn(tree, jobFor(), make())
  expect(made.files.map(({ target, bytes }) => [target, bytes.toString()])).toEqual([['bin/undionly.kpxe', 'loader']])
  expect(made.objects).toBe(1)
})

test('a loader with another script than the one asked for is never handed out', async () => {
  await expect(makeIn(tree, jobFor(), make({ embeds: '#!ipxe\necho other\n' }))).rejects.toThrow('embedded another script')
})

test('headers are written where they differ, and left alone where they do not', async () => {
  const general = join(tree.directory, 'src', 'config', 'local', 'general.h')
  await makeIn(tree, jobFor(), make())
  await utimes(general, 5, 5)
  await makeIn(tree, jobFor(), make())
  expect((await stat(general)).mtimeMs).toBe(5_000)
  await makeIn(tree, jobFor({ 'general.h': '#define A\n' }), make())
  expect((await stat(general)).mtimeMs).toBeGreaterThan(5_000)
})

test('nothing that knows an earlier script is there when make begins', async () => {
  const bin = join(tree.directory, 'src', 'bin')
  await mkdir(bin)
  for (const name of ['embedded.o', 'blib.a', 'undionly.kpxe', 'undionly.kpxe.tmp', 'version.undionly.kpxe.o', 'undionly.o', 'ping_cmd.o'])
    await writeFile(join(bin, name), 'old')
  let seen: string[] = []
  await makeIn(
    tree,
    jobFor(),
    make({
      before: async () => {
        seen = await readdir(bin)
      },
    }),
  )
  expect(seen.sort()).toEqual(['ping_cmd.o', 'undionly.o'])
})

test('input of an earlier make does not stay', async () => {
  await makeIn(tree, jobFor(), make())
  await makeIn(tree, jobFor({}, { text: undefined }), make())
  expect(await readdir(tree.input)).toEqual(['.make.lock'])
})

for (const { what, path } of [
  { what: 'the configuration', path: 'src/config' },
  { what: 'the directory of headers', path: 'src/config/local' },
  { what: 'the directory of objects', path: 'src/bin' },
])
  test(`a source that makes ${what} a link out of its tree is refused, and nothing is written there`, async () => {
    await rm(join(tree.directory, path), { recursive: true, force: true })
    await mkdir(join(directory, 'outside'))
    await symlink(join(directory, 'outside'), join(tree.directory, path))
    await expect(makeIn(tree, jobFor(), make())).rejects.toMatchObject({ reason: 'source' })
    expect(await readdir(join(directory, 'outside'))).toEqual([])
  })

test('a header that is a link is replaced, not followed', async () => {
  const outside = join(directory, 'outside')
  await writeFile(outside, 'mine')
  await symlink(outside, join(tree.directory, 'src', 'config', 'local', 'general.h'))
  await makeIn(tree, jobFor(), make())
  expect(await readFile(outside, 'utf8')).toBe('mine')
})

test('a source is known by its Makefile and its configuration', async () => {
  const src = join(tree.directory, 'src')
  await expect(readSourceTree(tree.directory)).rejects.toMatchObject({ reason: 'source', message: expect.stringContaining('src/Makefile') })
  for (const [name, text] of [
    ['Makefile', ''],
    ['Makefile.housekeeping', ''],
    ['config/general.h', '//#define PING_CMD\n#include <config/local/general.h>\n'],
    ['config/console.h', '#include <config/local/console.h>\n'],
  ] as const)
    await writeFile(join(src, name), text)
  await utimes(join(src, 'Makefile'), 1_234, 1_234)
  const source = await readSourceTree(tree.directory)
  expect(source).toMatchObject({ epoch: 1_234, localHeaders: ['console.h', 'general.h'], sources: 0 })
  expect([source.knows('PING_CMD'), source.knows('PING')]).toEqual([true, false])
})
