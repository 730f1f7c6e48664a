import { chmod, mkdir, readdir, readFile, realpath, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collect } from '../collect.ts'
import type { Confined } from '../confine/confine.ts'
import { BuildError } from '../confine/error.ts'
import { INPUT, type MakePlan, SCRIPT_FILE, TREE } from './make-plan.ts'
import { createMakeProgress } from './progress.ts'
import type { IpxePlatform, IpxeTarget } from './request.ts'
import { MAKE_LOCK, type Tree } from './trees.ts'

export interface MakeJob {
  platform: IpxePlatform
  targets: readonly IpxeTarget[]
  make: MakePlan
  /** Text by file name below `config/local/`. */
  headers: Record<string, string>
  script: string | undefined
  /** Files that may be compiled, at most. */
  sources: number
  /** Time of the source's files, in seconds. */
  epoch: number
}

export interface MakeDeps {
  run(what: Confined): Promise<{ seconds: number }>
  log(line: string): void | Promise<void>
  progress(fraction: number, text: string): void | Promise<void>
  signal: AbortSignal
}

const LIMITS = { seconds: 3_600, memoryMiB: 4_096, processes: 512, outputMiB: 2_048 }

/** One make in one tree. The script's presence in what was linked is checked: no build ever hands out another's script. */
export async function makeIn(
  tree: Tree,
  job: MakeJob,
  deps: MakeDeps,
): Promise<{ files: { target: IpxeTarget; bytes: Buffer }[]; objects: number; seconds: number }> {
  await configure(tree, job.headers)
  await lay(tree, job.make.input)
  await forget(tree, job.platform)
  if (tree.began === 'cold') await readOnce(tree, job)
  const progress = createMakeProgress({ known: tree.objects, sources: job.sources, warm: tree.began === 'warm' || tree.began === 'copy' })
  const { seconds } = await deps.run({
    argv: ['flock', `${INPUT}/${MAKE_LOCK}`, ...job.make.argv],
    cwd: `${TREE}/src`,
    readOnly: [{ from: tree.input, to: INPUT }],
    writable: [{ from: tree.directory, to: TREE }],
    env: job.make.env,
    limits: LIMITS,
    signal: deps.signal,
    async onLine(line) {
      const step = progress.see(line)
      if (step) await deps.progress(step.fraction, step.text)
      await deps.log(line)
    },
  })
  await checkScript(tree, job)
  const files = []
  for (const target of job.targets) files.push({ target, bytes: await collect(tree.directory, `src/${target}`) })
  return { files, objects: progress.objects, seconds }
}

/** Headers are written only where they differ: their times decide what is compiled anew. */
async function configure(tree: Tree, headers: Record<string, string>): Promise<void> {
  const local = await ownDirectory(tree, 'src/config/local')
  for (const [name, text] of Object.entries(headers)) await writeIfOther(join(local, name), text)
}

async function lay(tree: Tree, input: Record<string, string>): Promise<void> {
  await mkdir(tree.input, { recursive: true })
  const files: Record<string, string> = { ...input, [MAKE_LOCK]: '' }
  for (const name of await readdir(tree.input)) if (files[name] === undefined) await rm(join(tree.input, name))
  for (const [name, text] of Object.entries(files)) {
    const path = join(tree.input, name)
    if (name === SCRIPT_FILE) await writeFile(path, text)
    else await writeIfOther(path, text)
    await chmod(path, 0o644) // the build's user is another one
  }
  await chmod(tree.input, 0o755)
}

/** Everything that knows the script goes, so that no clock and no shortcut of make's can bring back the one before. */
async function forget(tree: Tree, platform: IpxePlatform): Promise<void> {
  const bin = await ownDirectory(tree, `src/${platform}`)
  const made = (await readdir(bin)).filter(
    (name) =>
      name === 'embedded.o' ||
      name === 'blib.a' ||
      (/^(undionly|ipxe|snponly|version)\./.test(name) && !/^(undionly|ipxe|snponly)\.o$/.test(name)),
  )
  await Promise.all(made.map((name) => rm(join(bin, name), { recursive: true, force: true })))
}

/** Each records a make variable that touches a header which everything includes. */
const LISTS = ['.config.list', '.assert.list', '.profile.list', '.fnrec.list']

/**
 * In a new tree make would write these lists, then find headers older than them, touch those, and read a second time what every file
 * depends on. Empty ones, as old as the source, say the same: no variable of theirs is given.
 */
async function readOnce(tree: Tree, { platform, epoch }: MakeJob): Promise<void> {
  const bin = await ownDirectory(tree, `src/${platform}`)
  for (const name of LISTS) {
    await writeIfOther(join(bin, name), '\n')
    await utimes(join(bin, name), epoch, epoch)
  }
}

async function checkScript(tree: Tree, { platform, script }: MakeJob): Promise<void> {
  if (script === undefined) return
  const embedded = await collect(tree.directory, `src/${platform}/embedded.o`)
  if (!embedded.includes(Buffer.from(script))) throw new BuildError('exit', 'make embedded another script than it was given')
}

/** A directory of the tree; made where it is missing. Whatever the source's make may have put there: no link leads out of the tree. */
async function ownDirectory(tree: Tree, path: string): Promise<string> {
  const parts = path.split('/')
  for (let length = 1; length <= parts.length; length++) {
    const part = parts.slice(0, length).join('/')
    await mkdir(join(tree.directory, part), { recursive: true })
    await mustBeOwn(tree, part)
  }
  return join(tree.directory, path)
}

async function mustBeOwn(tree: Tree, path: string): Promise<void> {
  const [root, real] = await Promise.all([realpath(tree.directory), realpath(join(tree.directory, path))])
  if (real !== join(root, path)) throw new BuildError('source', `${path} leads out of the source tree`)
}

async function writeIfOther(path: string, text: string): Promise<void> {
  const now = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? undefined : Promise.reject(error),
  )
  if (now === text) return
  await rm(path, { recursive: true, force: true }) // never through a link that make left there
  await writeFile(path, text)
}
