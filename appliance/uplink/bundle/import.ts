import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import { type BundleHead, entriesOf, HEAD_ENTRY, STATE_ENTRY } from '@bridgehead/shared/model/bundle.ts'
import { type ArtifactRef, artifactsOf } from '@bridgehead/shared/model/state.ts'
import { BundleError, checkHead, checkState } from './check.ts'
import { type ImportFiles, importFiles } from './files.ts'
import { isLocked, takeLock } from './lock.ts'
import { checkBytes, isStaged, stage, sweep } from './stage.ts'
import { type BoxView, viewBox } from './standing.ts'
import { readTar, type TarReader } from './tar.ts'

export interface ImportOptions {
  file: Readable
  /** The appliance's data directory; made if missing. */
  data: string
  /** Fingerprint of a key that a person compared, 64 hexadecimal digits. */
  trust?: string | undefined
  /** Where to put the media; absent: they are checked and left out. */
  media?: string | undefined
  /** Stays free on the disk. */
  reserveBytes?: number
  say: (line: string) => void
  clock: Clock
  newId: NewId
}

export type Imported =
  /** The site runs on it. */
  | { kind: 'applied'; revision: number }
  /** The appliance does not run, or is too busy to answer; it takes the bundle in when it can. */
  | { kind: 'waiting'; revision: number }

const HEAD_MOST = 4_194_304
const STATE_MOST = 134_217_728
const RESERVE = 134_217_728
const ANSWER_MS = 60_000
const LOOK_MS = 100

/**
 * Checks a bundle, lays its artifacts beside the cache, and leaves the daemon an order to take all of it in at once. Until that order is
 * written nothing of the site has changed. Killed anywhere, it is simply run again: what is here is not written twice.
 * Throws BundleError.
 */
export async function importBundle(options: ImportOptions): Promise<Imported> {
  const { file, data, trust, clock, newId } = options
  const files = importFiles(data)
  await mkdir(files.directory, { recursive: true, mode: 0o700 })
  const tar = readTar(file)
  try {
    const unlock = takeLock(files.directory, 'import.lock')
    if (!unlock) throw new BundleError('another import runs on this box; wait until it is done')
    try {
      const { head, state } = await lay(tar, files, options)
      const id = newId()
      files.outcome.remove()
      files.order.write({ id, head: head.jws, state, ...(trust === undefined ? {} : { trust }) })
      return await answerTo(id, head.revision, { files, clock })
    } finally {
      unlock()
    }
  } finally {
    tar.close()
  }
}

/** Everything up to the order. */
async function lay(tar: TarReader, files: ImportFiles, options: ImportOptions) {
  const { data, trust, media, say } = options
  const box = viewBox(data)
  const jws = await text(await tar.next(HEAD_ENTRY, "the bundle's list", { most: HEAD_MOST }))
  const checked = await checkHead(jws, trust, box.standing)
  const { head } = checked
  say(`offline bundle of site "${head.name}", revision ${head.revision}: ${head.artifacts.length} files, ${megabytes(head.artifacts)}`)
  const state = await text(await tar.next(STATE_ENTRY, "the site's state", { most: STATE_MOST }))
  const needed = new Set(artifactsOf(await checkState(state, checked, box.standing)).map((ref) => ref.sha256))

  files.order.remove() // of an earlier import that no daemon has taken in: this one takes its place
  await sweep(files.directory, head.artifacts)
  if (media !== undefined) await mkdir(media, { recursive: true })
  await checkRoom(await missing(head, box, files), files, options)
  for (const { entry, artifact } of entriesOf(head)) {
    const body = await tar.next(entry, artifact.name, { exactly: artifact.bytes })
    const isMedium = !entry.startsWith('artifacts/')
    const path = isMedium ? media && join(media, mediumName(artifact, head)) : files.artifact(artifact.sha256)
    const isHere = !isMedium && (box.cached(artifact.sha256) === artifact.bytes || (await isStaged(artifact, path ?? '')))
    const left = path === undefined || (!isMedium && !needed.has(artifact.sha256))
    if (isHere || left) await checkBytes(artifact, body)
    else await stage(artifact, body, path)
    say(`  ${artifact.name} (${megabytes([artifact])})${isHere ? ': is here already' : left ? ': checked, left out' : ''}`)
  }
  await tar.end()
  return { head: { jws, revision: head.revision }, state }
}

/** Two recipes may have given their media one name. */
function mediumName({ name, sha256 }: ArtifactRef, { media }: Pick<BundleHead, 'media'>): string {
  return media.some((other) => other.name === name && other.sha256 !== sha256) ? `${sha256.slice(0, 8)}-${name}` : name
}

async function missing(head: BundleHead, box: BoxView, files: ImportFiles): Promise<number> {
  let bytes = 0
  for (const ref of head.artifacts)
    if (box.cached(ref.sha256) !== ref.bytes && !(await isStaged(ref, files.artifact(ref.sha256)))) bytes += ref.bytes
  return bytes
}

/** Asks the daemon to remove what the site no longer needs where the disk is too full. Throws BundleError when it stays so. */
async function checkRoom(bytes: number, files: ImportFiles, { clock, reserveBytes = RESERVE }: ImportOptions): Promise<void> {
  const free = async () => {
    const { bavail, bsize } = await statfs(files.directory)
    return bavail * bsize - reserveBytes
  }
  if (bytes <= (await free())) return
  const runs = isRunning(files)
  if (runs) {
    files.room.write({ bytes })
    for (const until = clock.now() + ANSWER_MS; files.room.read() && clock.now() < until; ) await clock.sleep(LOOK_MS)
    files.room.remove()
  }
  const left = await free()
  if (bytes <= left) return
  throw new BundleError(
    `the disk has no room: the bundle brings ${mega(bytes)} that are not here yet, and ${mega(Math.max(0, left))} are free beside the ${mega(reserveBytes)} that stay so${runs ? '' : '. While the appliance runs, it makes room by removing what its site no longer needs'}`,
  )
}

async function answerTo(id: string, revision: number, { files, clock }: { files: ImportFiles; clock: Clock }): Promise<Imported> {
  for (const until = clock.now() + ANSWER_MS; clock.now() < until && isRunning(files); await clock.sleep(LOOK_MS)) {
    const outcome = files.outcome.read()
    if (outcome?.id !== id) continue
    files.outcome.remove()
    if (outcome.why !== undefined) throw new BundleError(`the appliance did not take the bundle in: ${outcome.why}`)
    return { kind: 'applied', revision: outcome.revision ?? revision }
  }
  return { kind: 'waiting', revision }
}

/** The daemon holds this lock while it looks for orders. */
function isRunning({ directory }: ImportFiles): boolean {
  return isLocked(directory, 'appliance.lock')
}

function megabytes(refs: readonly ArtifactRef[]): string {
  return mega(refs.reduce((sum, { bytes }) => sum + bytes, 0))
}
function mega(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
