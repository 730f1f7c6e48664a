import { access, mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { syncPath } from '@bridgehead/shared/sync.ts'
import type { Outbox } from '../../store/outbox.ts'
import type { Store } from '../../store/store.ts'
import { backoffMs } from '../backoff.ts'
import { download, isWhole, WrongBytes } from './download.ts'
import type { ArtifactSource } from './fetch.ts'
import { nextDownload, planEviction } from './plan.ts'
import { artifactRows } from './rows.ts'

export interface ArtifactCacheDeps {
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
  /** In [0, 1). */
  random: () => number
  /** Absolute path; made if missing. Whole artifacts lie there by their sha256, begun ones with `.part` behind it. */
  directory: string
  /** Where to download from now; undefined while there is no uplink. */
  source: () => ArtifactSource | undefined
  /** Stays free on the disk, for the store and the logs. Default 128 MiB. */
  reserveBytes?: number
}

export interface ArtifactStatus extends ArtifactRef {
  state: 'ready' | 'waiting' | 'downloading'
  /** Bytes that are here. */
  have: number
  /** Why the last try failed. */
  why?: string | undefined
}

export interface ArtifactCache extends Service {
  /** The whole set that the site needs now; what is not in it may be removed when space is short. */
  want(refs: readonly ArtifactRef[]): void
  /** The path of a whole, checked artifact. */
  path(sha256: string): string | undefined
  /** The same with its size, as file servers need it. */
  file(sha256: string): { path: string; size: number; sha256: string } | undefined
  /** Resolves with the path once the artifact is here; it is fetched before others. Rejects with NotWanted. */
  ensure(sha256: string): Promise<string>
  /**
   * Takes in a file that came by another way than the network: whole, checked by its sha256, synced, on the same file system. It is moved.
   * Given again after a crash, it ends the same. Throws when the file is neither at `from` nor in the cache.
   */
  admit(ref: ArtifactRef, from: string): Promise<void>
  /** Removes what is not wanted, longest unused first, until `bytes` fit. Throws when they cannot. */
  makeRoom(bytes: number): Promise<void>
  /** What is wanted, and how far it is. */
  status(): ArtifactStatus[]
}

/** Nobody asked for this artifact by `want`, or no longer does, or the cache stopped. */
export class NotWanted extends Error {
  readonly code = 'artifact_not_wanted'
}

class NoRoom extends Error {
  readonly code = 'artifact_no_room'
}

interface Job {
  ref: ArtifactRef
  bytes: number
  have: number
  tries: number
  notBefore: number
  urgent: boolean
  why?: string | undefined
  running?: AbortController | undefined
  waiters: { resolve(path: string): void; reject(error: Error): void }[]
}

const PARALLEL = 2
const TICK_MS = 500

/** Keeps the artifacts that the site needs on disk, each downloaded once, resumed after any interruption, and checked by its sha256. */
export function createArtifactCache(deps: ArtifactCacheDeps): ArtifactCache {
  const { store, outbox, clock, log, random, directory, source, reserveBytes = 134_217_728 } = deps
  const rows = artifactRows({ store, outbox, clock, log })
  const jobs = new Map<string, Job>()
  /** By sha256. A job that was given up may still be ending here, and shares its part file with the next of that name. */
  const active = new Map<string, Promise<void>>()
  let wanted = new Map<string, ArtifactRef>()
  let started = false
  let lastSource = ''
  let endTick: (() => void) | undefined

  const pathOf = (sha256: string) => join(directory, sha256)
  const whole = (sha256: string) => (started && rows.has(sha256) ? pathOf(sha256) : undefined)

  const plan = () => {
    for (const [sha256, job] of jobs) if (!wanted.has(sha256)) giveUp(job, 'it is no longer wanted')
    for (const ref of wanted.values())
      if (!rows.has(ref.sha256) && !jobs.has(ref.sha256))
        jobs.set(ref.sha256, { ref, bytes: ref.bytes, have: 0, tries: 0, notBefore: 0, urgent: false, waiters: [] })
  }
  const giveUp = (job: Job, why: string) => {
    job.running?.abort()
    jobs.delete(job.ref.sha256)
    for (const { reject } of job.waiters.splice(0)) reject(new NotWanted(`artifact ${job.ref.name}: ${why}`))
  }

  const pump = () => {
    if (!started) return
    const now = clock.now()
    const from = source()
    forgiveOnNewSource(from)
    while (from && active.size < PARALLEL) {
      const idle = [...jobs.values()].filter(({ ref }) => !active.has(ref.sha256))
      const job = nextDownload(idle, now)
      if (!job) return
      const { sha256 } = job.ref
      job.running = new AbortController()
      const work = run(job, from, job.running.signal)
        .catch((error: unknown) => log.error('artifact.failed', { sha256, error })) // the store itself failed; tried again
        .finally(() => {
          active.delete(sha256)
          job.running = undefined
          pump()
        })
      active.set(sha256, work)
    }
  }
  /** A new address or secret is a new chance. */
  const forgiveOnNewSource = (from: ArtifactSource | undefined) => {
    const text = JSON.stringify(from ?? null)
    if (text === lastSource) return
    lastSource = text
    for (const job of jobs.values()) Object.assign(job, { notBefore: 0, tries: 0 })
  }

  const run = async (job: Job, from: ArtifactSource, signal: AbortSignal) => {
    const { ref } = job
    const began = clock.now()
    try {
      const path = pathOf(ref.sha256)
      // a crash between rename and record leaves a whole file without a row
      if (!(await isWhole(path, ref))) await download({ ref, path, source: from, signal, makeRoom, progress: (have) => advance(job, have) })
      const ms = clock.now() - began
      await rows.add(ref, ms)
      log.info('artifact.ready', { sha256: ref.sha256, file: ref.name, bytes: ref.bytes, ms })
      jobs.delete(ref.sha256)
      for (const { resolve } of job.waiters.splice(0)) resolve(path)
    } catch (error) {
      if (!signal.aborted) await failed(job, error)
    }
  }
  const advance = (job: Job, have: number) => {
    if (have > job.have) job.tries = 0 // it moves, so the line is worth another quick try
    job.have = have
  }
  const failed = async (job: Job, error: unknown) => {
    const { ref } = job
    const why = error instanceof Error ? error.message : String(error)
    const ours = error instanceof WrongBytes || error instanceof NoRoom
    const waitMs = backoffMs(ours ? job.tries + 6 : job.tries, random)
    job.tries++
    job.notBefore = clock.now() + waitMs
    log[ours ? 'error' : 'warn'](ours ? 'artifact.refused' : 'artifact.retry', { sha256: ref.sha256, file: ref.name, why, waitMs })
    if (ours && job.why !== why) await rows.refuse(ref, why) // the manager is told each reason once
    job.why = why
  }

  const makeRoom = async (needed: number) => {
    const { bavail, bsize } = await statfs(directory)
    const held = [...(await begunAndUnwanted()), ...rows.all().map((row) => ({ ...row, wanted: wanted.has(row.sha256) }))]
    const { remove, missing } = planEviction({ needed, free: bavail * bsize, reserve: reserveBytes }, held)
    if (missing > 0) throw new NoRoom(`the disk has no room for ${needed} bytes beside the ${reserveBytes} that stay free`)
    for (const name of remove) {
      log.info('artifact.evicted', { sha256: name })
      await rows.remove(name) // first the record, so that a crash leaves no row without its file
      await rm(pathOf(name), { force: true })
    }
  }
  const begunAndUnwanted = async () => {
    const parts = (await readdir(directory)).filter((name) => name.endsWith('.part') && !wanted.has(name.slice(0, 64)))
    return Promise.all(parts.map(async (name) => ({ sha256: name, bytes: (await stat(pathOf(name))).size, lastUsed: 0, wanted: false })))
  }

  return {
    name: 'artifact cache',
    async start() {
      await mkdir(directory, { recursive: true })
      for (const { sha256, bytes } of rows.all()) {
        const size = await stat(pathOf(sha256)).then(
          (found) => found.size,
          () => undefined,
        )
        if (size === bytes) continue
        log.warn('artifact.lost', { sha256, bytes, found: size })
        await rows.remove(sha256)
        await rm(pathOf(sha256), { force: true })
      }
      started = true
      plan()
      pump()
      endTick = clock.every(TICK_MS, pump) // back-offs end, and an uplink appears, without telling
    },
    async stop() {
      started = false
      endTick?.()
      for (const job of [...jobs.values()]) giveUp(job, 'the cache stopped')
      await Promise.all(active.values())
      await rows.flush()
    },
    want(refs) {
      wanted = new Map(refs.map((ref) => [ref.sha256, ref]))
      plan()
      pump()
    },
    path(sha256) {
      const path = whole(sha256)
      if (path) rows.used(sha256)
      return path
    },
    file(sha256) {
      const path = this.path(sha256)
      return path === undefined ? undefined : { path, size: rows.bytes(sha256), sha256 }
    },
    ensure(sha256) {
      const path = whole(sha256)
      if (path !== undefined) return Promise.resolve(path)
      const job = jobs.get(sha256)
      if (!job) return Promise.reject(new NotWanted(`artifact ${sha256} is not in this site's state`))
      Object.assign(job, { urgent: true, notBefore: 0 })
      const arrived = new Promise<string>((resolve, reject) => job.waiters.push({ resolve, reject }))
      pump()
      return arrived
    },
    async admit(ref, from) {
      const { sha256 } = ref
      const path = pathOf(sha256)
      const job = jobs.get(sha256)
      jobs.delete(sha256) // first, or the download would begin anew when it is ended
      try {
        job?.running?.abort()
        await active.get(sha256)
        if (!rows.has(sha256)) {
          if (await isThere(from)) {
            await rename(from, path)
            await syncPath(dirname(path))
          } else if (!(await isWhole(path, ref))) throw new Error(`${ref.name} (${sha256}) is neither at ${from} nor in the cache`)
          await rows.add(ref, 0)
          log.info('artifact.ready', { sha256, file: ref.name, bytes: ref.bytes, ms: 0 })
        }
        await rm(from, { force: true })
        await rm(`${path}.part`, { force: true })
        for (const { resolve } of job?.waiters.splice(0) ?? []) resolve(path)
      } finally {
        if (job && !rows.has(sha256)) jobs.set(sha256, job)
      }
    },
    makeRoom,
    status: () =>
      [...wanted.values()].map((ref) => {
        const job = jobs.get(ref.sha256)
        if (!job) return { ...ref, state: 'ready', have: ref.bytes }
        return { ...ref, state: job.running ? 'downloading' : 'waiting', have: job.have, why: job.why }
      }),
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
