import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { execa } from 'execa'
import { z } from 'zod'
import { type Lock, tryLock, untilFree } from './tree-lock.ts'
import { repair } from './tree-repair.ts'

/** A copy of the source in which one make at a time works, with the objects of earlier makes. */
export interface Tree {
  /** The source's root: what make may write to. */
  readonly directory: string
  /** Files that make reads and must not write: script, certificates. They keep their times from make to make. */
  readonly input: string
  /** Objects that the last whole make of such a tree compiled; undefined when there was none. */
  readonly objects: number | undefined
  readonly began: 'warm' | 'repaired' | 'copy' | 'derived' | 'cold'
}

export interface TreeWish {
  /** Names source, platform, tools and options: makes that agree in it may use the same objects. */
  key: string
  /** Names all of it but the options: objects of another tree of it are worth copying, most of them stay good. */
  base: string
  /** The unpacked source. It is only read. */
  template: string
}

export interface TreeDeps {
  /** Everything below belongs to the trees. */
  directory: string
  clock: Clock
  signal: AbortSignal
  /** Of one key, at most; more makes than that at once wait for each other. */
  copies: number
  /** All trees together; those used longest ago go first. */
  limitBytes: number
}

/** Lies beside the tree, where make cannot reach it. Its file's own time, when ready, is when the tree was last whole. */
const State = z.object({
  key: z.string(),
  base: z.string(),
  phase: z.enum(['making', 'ready']),
  /** It has been whole at this time (epoch ms of a file), whatever phase it is in now. */
  readyMs: z.number().optional(),
  /** Of the kernel that ran then: after a crash of the machine, files may be empty that were written. */
  boot: z.string(),
  objects: z.int().optional(),
  bytes: z.int().optional(),
  usedAt: z.number(),
})
type State = z.infer<typeof State>

/**
 * In `input`, where make cannot tamper with it. Held by all processes of a make, inside the sandbox: a make may live some moments longer
 * than the process that began it.
 */
export const MAKE_LOCK = '.make.lock'
/** Ends the name of a tree that is being deleted. */
const GONE = '.gone'
const POLL_MS = 200
const CLOCK_STEP_MS = 1_000
const LINGER_SECONDS = 30

/**
 * Lends a tree to one make. Another process's is never taken away; when it is killed, the tree is whoever's comes next, mended. `use`
 * resolves to the number of objects compiled; when it throws, the tree is mended by the next one.
 */
export async function withTree<T extends { objects: number }>(wish: TreeWish, deps: TreeDeps, use: (tree: Tree) => Promise<T>): Promise<T> {
  const { place, lock } = await take(wish, deps)
  try {
    const prepared = await prepare(place, wish, deps)
    const result = await use({ ...prepared, directory: place.tree, input: place.input })
    await writeFile(place.mark, '')
    const { mtimeMs } = await stat(place.mark)
    const bytes = prepared.state.bytes ?? (await diskBytes(place.root))
    const objects = Math.max(result.objects, prepared.objects ?? 0)
    await save(place, { ...prepared.state, phase: 'ready', readyMs: mtimeMs, objects, bytes, usedAt: deps.clock.now() })
    return result
  } finally {
    await lock.release()
  }
}

interface Place {
  name: string
  root: string
  tree: string
  input: string
  state: string
  mark: string
}

function placeOf(deps: TreeDeps, name: string): Place {
  const root = join(deps.directory, 'trees', name)
  return { name, root, tree: join(root, 'tree'), input: join(root, 'input'), state: join(root, 'state.json'), mark: join(root, 'whole') }
}

const lockFile = (deps: TreeDeps, name: string) => join(deps.directory, 'locks', name)

/** The first free copy, a new one while there may be more, else whichever becomes free first. */
async function take(wish: TreeWish, deps: TreeDeps): Promise<{ place: Place; lock: Lock }> {
  await mkdir(join(deps.directory, 'locks'), { recursive: true })
  await mkdir(join(deps.directory, 'trees'), { recursive: true })
  for (;;) {
    deps.signal.throwIfAborted()
    for (let number = 0, whole = true; number < deps.copies && whole; number++) {
      const place = placeOf(deps, `${wish.key}-${number}`)
      const lock = await tryLock(lockFile(deps, place.name))
      if (lock) return { place, lock }
      // A tree in its first make has nothing worth copying yet: wait for it.
      whole = (await load(place))?.readyMs !== undefined
    }
    await deps.clock.sleep(POLL_MS, deps.signal)
  }
}

async function prepare(place: Place, wish: TreeWish, deps: TreeDeps) {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  await untilQuiet(place)
  const found = await load(place)
  const began = found && (await mend(place, found, { wish, boot, deps })) ? (found.phase === 'ready' ? 'warm' : 'repaired') : undefined
  if (began && found) return { began, objects: found.objects, state: await begin(place, found, boot, deps) } as const

  await discard(place)
  await evict(deps, place.name)
  const made = await fill(place, wish, deps)
  const fresh: State = { key: wish.key, base: wish.base, phase: 'making', boot, usedAt: deps.clock.now(), ...made.inherits }
  return { began: made.began, objects: made.objects, state: await begin(place, fresh, boot, deps) } as const
}

async function begin(place: Place, state: State, boot: string, deps: TreeDeps): Promise<State> {
  const next: State = { ...state, phase: 'making', boot, usedAt: deps.clock.now() }
  await save(place, next)
  return next
}

/** Whether the tree may be used, after repair where it needs one. */
async function mend(place: Place, state: State, { wish, boot, deps }: { wish: TreeWish; boot: string; deps: TreeDeps }): Promise<boolean> {
  const ahead = (state.readyMs ?? 0) - deps.clock.now()
  if (ahead > CLOCK_STEP_MS) return false // the clock went back: make could not tell old from new
  const sameBoot = state.boot === boot
  if (state.phase === 'ready' && sameBoot) return true
  if (state.phase === 'making' && !sameBoot) return false
  await repair(place.tree, wish.template, state.readyMs)
  return true
}

/** The best beginning there is: a copy of the same objects, or of objects with other options, or the bare source. */
async function fill(
  place: Place,
  wish: TreeWish,
  deps: TreeDeps,
): Promise<{ began: Tree['began']; objects: number | undefined; inherits: Partial<State> }> {
  const others = (await states(deps)).filter(
    ({ state, place: other }) => state.base === wish.base && state.readyMs !== undefined && other.name !== place.name,
  )
  const best = others.find(({ state }) => state.key === wish.key) ?? others.find(({ state }) => state.phase === 'ready')
  await mkdir(place.input, { recursive: true })
  if (!best) {
    await copy(wish.template, place.tree, deps.signal)
    return { began: 'cold', objects: undefined, inherits: {} }
  }
  const same = best.state.key === wish.key
  await copy(best.place.tree, place.tree, deps.signal)
  if (same) await copy(`${best.place.input}/.`, place.input, deps.signal)
  if ((await load(best.place))?.readyMs === undefined) {
    await rm(place.tree, { recursive: true, force: true }) // it went while it was copied
    return fill(place, wish, deps)
  }
  // Somebody may be making in it: what is newer than its last whole state is left out.
  await repair(place.tree, wish.template, best.state.readyMs)
  return {
    began: same ? 'copy' : 'derived',
    objects: best.state.objects,
    inherits: same ? { readyMs: best.state.readyMs, bytes: best.state.bytes } : {},
  }
}

/** Files that vanish meanwhile (a make removes what it no longer needs) are none of the source's, so they are not missed. */
async function copy(from: string, to: string, signal: AbortSignal): Promise<void> {
  const done = await execa('cp', ['-a', '--reflink=auto', '--', from, to], {
    cancelSignal: signal,
    stdin: 'ignore',
    env: { LC_ALL: 'C' },
    reject: false,
  })
  signal.throwIfAborted()
  const real = (done.stderr ?? '').split('\n').filter((line) => line && !line.endsWith(': No such file or directory'))
  if (done.exitCode === undefined || real.length > 0) throw new Error(`cannot copy ${from}: ${real[0] ?? done.shortMessage}`)
}

/** Out of the way in one step, so that nobody copies half of it. */
async function discard(place: Place): Promise<void> {
  const trash = `${place.root}${GONE}`
  await rm(trash, { recursive: true, force: true })
  await rename(place.root, trash).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rm(trash, { recursive: true, force: true })
}

/** Makes room: what was used longest ago goes, unless somebody is at it. */
async function evict(deps: TreeDeps, keep: string): Promise<void> {
  // what a killed process had begun to delete; whoever deletes it now does not mind
  for (const name of await readdir(join(deps.directory, 'trees')))
    if (name.endsWith(GONE)) await rm(join(deps.directory, 'trees', name), { recursive: true, force: true })
  const all = (await states(deps)).sort((a, b) => a.state.usedAt - b.state.usedAt)
  let total = all.reduce((sum, { state }) => sum + (state.bytes ?? 0), 0)
  for (const { place, state } of all) {
    if (total <= deps.limitBytes) return
    if (place.name === keep) continue
    const lock = await tryLock(lockFile(deps, place.name))
    if (!lock) continue
    try {
      await untilQuiet(place)
      await discard(place)
      total -= state.bytes ?? 0
    } finally {
      await lock.release()
    }
  }
}

async function untilQuiet(place: Place): Promise<void> {
  const lock = join(place.input, MAKE_LOCK)
  const exists = await stat(lock).then(
    () => true,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
  )
  if (exists && !(await untilFree(lock, LINGER_SECONDS))) throw new Error(`a make that nobody waits for still runs in ${place.tree}`)
}

async function states(deps: TreeDeps): Promise<{ place: Place; state: State }[]> {
  const names = (await readdir(join(deps.directory, 'trees'))).filter((name) => !name.endsWith(GONE))
  const found = await Promise.all(
    names.map(async (name) => {
      const place = placeOf(deps, name)
      const state = await load(place)
      return state ? [{ place, state }] : []
    }),
  )
  return found.flat()
}

async function load(place: Place): Promise<State | undefined> {
  const text = await readFile(place.state, 'utf8').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? '' : Promise.reject(error),
  )
  if (text === '') return undefined
  return State.safeParse(JSON.parse(text)).data
}

async function save(place: Place, state: State): Promise<void> {
  await writeFile(`${place.state}.next`, JSON.stringify(state))
  await rename(`${place.state}.next`, place.state)
}

async function diskBytes(directory: string): Promise<number> {
  const { stdout } = await execa('du', ['-s', '-B1', '--', directory], { stdin: 'ignore' })
  return Number.parseInt(stdout, 10)
}
