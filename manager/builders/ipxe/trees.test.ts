import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Tree, type TreeDeps, type TreeWish, withTree } from './trees.ts'

let directory: string
let deps: TreeDeps
let wish: TreeWish

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-trees-'))
  const template = join(directory, 'source')
  await mkdir(join(template, 'src'), { recursive: true })
  await writeFile(join(template, 'src', 'Makefile'), 'all:\n')
  deps = { directory, clock: systemClock, signal: new AbortController().signal, copies: 2, limitBytes: 1e9 }
  wish = { key: 'k1', base: 'b1', template }
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Stands for a make: one object, dated well before the end, as most of a platform's are. */
const compile = async (tree: Tree, text = 'object') => {
  const path = join(tree.directory, 'src', 'one.d')
  await writeFile(path, text)
  await utimes(path, 1_000, 1_000)
  return { objects: 7, began: tree.began, known: tree.objects }
}
const killed = (): never => {
  throw new Error('killed')
}

test('the first make begins from the bare source, the next from what it left', async () => {
  expect(await withTree(wish, deps, compile)).toMatchObject({ began: 'cold', known: undefined })
  expect(await withTree(wish, deps, compile)).toMatchObject({ began: 'warm', known: 7 })
})

test('two makes at once never have the same tree', async () => {
  await withTree(wish, deps, compile)
  const at = new Map<string, number>()
  const makes = Array.from({ length: 5 }, () =>
    withTree(wish, deps, async (tree) => {
      at.set(tree.directory, (at.get(tree.directory) ?? 0) + 1)
      expect(at.get(tree.directory)).toBe(1)
      await systemClock.sleep(20)
      at.set(tree.directory, 0)
      return compile(tree)
    }),
  )
  const began = (await Promise.all(makes)).map((make) => make.began)
  expect(new Set(began)).toEqual(new Set(['warm', 'copy']))
  expect(await readdir(join(directory, 'trees'))).toEqual(['k1-0', 'k1-1'])
})

test('nobody copies a tree that was never whole: who comes meanwhile waits for it', async () => {
  const began = await Promise.all(
    [0, 1].map(() =>
      withTree(wish, deps, async (tree) => {
        await systemClock.sleep(20)
        return compile(tree)
      }),
    ),
  )
  expect(began.map((make) => make.began).sort()).toEqual(['cold', 'warm'])
})

test('a tree whose make was killed is mended: what was whole before stays, what came since goes', async () => {
  await withTree(wish, deps, compile)
  const failed = withTree(wish, deps, async (tree) => {
    await writeFile(join(tree.directory, 'src', 'half.o'), 'ha')
    return killed()
  })
  await expect(failed).rejects.toThrow('killed')
  const names = await withTree(wish, deps, async (tree) => ({
    objects: 1,
    began: tree.began,
    names: await readdir(join(tree.directory, 'src')),
  }))
  expect(names).toMatchObject({ began: 'repaired', names: ['Makefile', 'one.d'] })
})

test('a first make that was killed is not in vain: what was done well before the end stays, objects cut short go', async () => {
  const failed = withTree(wish, deps, async (tree) => {
    await compile(tree)
    const short = join(tree.directory, 'src', 'short.o')
    await writeFile(
      short,
      Buffer.concat([Buffer.from('7f454c460201', 'hex'), Buffer.alloc(34), Buffer.from([0xff, 0xff]), Buffer.alloc(60)]),
    )
    await utimes(short, 1_000, 1_000)
    await writeFile(join(tree.directory, 'src', 'late.o'), 'late')
    return killed()
  })
  await expect(failed).rejects.toThrow('killed')
  const after = await withTree(wish, deps, async (tree) => ({ objects: 1, names: await readdir(join(tree.directory, 'src')) }))
  expect(after.names).toEqual(['Makefile', 'one.d'])
})

test('a crash of the machine in mid-make costs the tree', async () => {
  await withTree(wish, deps, compile)
  await edit('k1-0', { phase: 'making', boot: 'another' })
  expect(await withTree(wish, deps, compile)).toMatchObject({ began: 'cold' })
})

test('a clock that went back costs the tree', async () => {
  await withTree(wish, deps, compile)
  await edit('k1-0', { readyMs: Date.now() + 60_000 })
  expect(await withTree(wish, deps, compile)).toMatchObject({ began: 'cold' })
})

test('other options begin with the objects of the same platform', async () => {
  await withTree(wish, deps, compile)
  const other = await withTree({ ...wish, key: 'k2' }, deps, async (tree) => ({
    objects: 1,
    began: tree.began,
    text: await readFile(join(tree.directory, 'src', 'one.d'), 'utf8'),
  }))
  expect(other).toEqual({ objects: 1, began: 'derived', text: 'object' })
  expect(await withTree({ ...wish, key: 'k3', base: 'b2' }, deps, compile)).toMatchObject({ began: 'cold' })
})

test('beyond the limit, the tree used longest ago goes', async () => {
  await withTree(wish, deps, compile)
  await withTree({ ...wish, key: 'k2', base: 'b2' }, deps, compile)
  await withTree(wish, deps, compile)
  await withTree({ ...wish, key: 'k3', base: 'b3' }, { ...deps, limitBytes: 1.5 * (await bytesOf('k1-0')) }, compile)
  expect((await readdir(join(directory, 'trees'))).sort()).toEqual(['k1-0', 'k3-0'])
})

test('a tree in use is never taken away', async () => {
  await withTree(wish, deps, async (tree) => {
    await withTree({ ...wish, key: 'k2', base: 'b2' }, { ...deps, limitBytes: 0 }, compile)
    expect((await stat(tree.directory)).isDirectory()).toBe(true)
    return compile(tree)
  })
})

test('who waits can be called off', async () => {
  const abort = new AbortController()
  await withTree(wish, deps, async (tree) => {
    const waiting = withTree(wish, { ...deps, signal: abort.signal }, compile)
    setTimeout(() => abort.abort(new Error('called off')), 10)
    await expect(waiting).rejects.toThrow('called off')
    return compile(tree)
  })
})

async function edit(name: string, change: object): Promise<void> {
  const path = join(directory, 'trees', name, 'state.json')
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }))
}
async function bytesOf(name: string): Promise<number> {
  return JSON.parse(await readFile(join(directory, 'trees', name, 'state.json'), 'utf8')).bytes
}
