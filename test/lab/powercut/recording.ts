import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { z } from 'zod'
import type { Accelerator } from '../accelerator.ts'
import type { ApiEvent } from '../api.ts'
import { type Box, createBox } from '../box/box.ts'
import { flash, partition, personalise } from '../box/disk.ts'
import type { Home } from '../box/home.ts'
import type { Running } from '../processes.ts'
import { waitFor } from '../wait.ts'
import { slotDigest } from './boot-check.ts'
import type { Recording } from './campaign.ts'
import { startClients } from './clients.ts'
import { openFile } from './file-disk.ts'
import { createWitness, type Testimony } from './witness.ts'
import { openWriteLog } from './write-log.ts'

export interface RecorderOptions {
  home: Home
  image: string
  /** What is in the image. */
  version: string
  /** The smallest on which the data partition has copies of its superblock, as on real disks. */
  diskMiB?: number
  accelerator: Accelerator
}

/** A box in a home whose disk, and all that it promises to others, is written down from power-on to the plug. */
export interface Recorder {
  readonly box: Box
  readonly heard: readonly Testimony[]
  /** Facts of the box that the manager has. */
  readonly facts: readonly ApiEvent[]
  /** Says what begins now, for the report. */
  phase(name: string): void
  /** A release was ordered: from now on it may be started. */
  ordered(version: string): void
  /** Waits for a fact. */
  fact(what: string, fits: (event: ApiEvent) => boolean, ms: number): Promise<ApiEvent>
  /** Machines come to its LAN and renew, until the plug is pulled. */
  work(options: { clients: number; perSecond: number }): Promise<void>
  /** Pulls the plug. `systems`: files of other systems that it was given (squashfs), by version. */
  finish(systems: ReadonlyMap<string, string>): Promise<Recording>
}

const Enrolled = z.object({ signing_key: z.string() }).optional()
const SigningKey = z.object({ x: z.string() })

/** Flashes, personalises and powers on. */
export async function startRecording({ home, image, version, diskMiB = 1024, accelerator }: RecorderOptions): Promise<Recorder> {
  const directory = home.lab.directory
  const card = join(directory, 'recorded.img')
  const before = join(directory, 'before.img')
  const log = join(directory, 'writes.log')
  await flash(image, card, diskMiB / 1024)
  await personalise(card, await home.config())
  await execa('cp', ['--sparse=always', '--reflink=auto', card, before])
  await writeFile(log, '')
  const nics = [
    { mac: '52:54:00:b0:ff:00', bridge: 'br0' },
    { mac: '52:54:00:b0:ff:01', bridge: home.bridge },
  ]
  const box = await createBox({
    name: 'recorded',
    board: 'bios-ahci',
    card,
    writeLog: log,
    nics,
    node: home.place.lan,
    directory,
    accelerator,
  })
  const witness = createWitness({ log, now: Date.now })
  const ended = new AbortController()
  const facts: ApiEvent[] = []
  const leases: Testimony[] = []
  witness.note({ kind: 'phase', name: 'first boot' })
  witness.note({ kind: 'version', version, now: 'must' })
  await box.powerOn()
  const followed = follow().catch((error: unknown) => {
    if (!ended.signal.aborted) throw error
  })
  const watched = watchEnrolment()

  async function follow(): Promise<void> {
    for await (const event of home.api.events({ signal: ended.signal })) {
      if (event.site !== home.site.id) continue
      if (facts.length === 0) witness.note({ kind: 'member', site: home.site.id })
      facts.push(event)
      witness.note({ kind: 'event', id: event.id })
      const version = String(event.data.version)
      if (event.kind !== 'appliance.update') continue
      if (event.data.phase === 'committed') witness.note({ kind: 'version', version, now: 'must' })
      if (event.data.phase === 'rolled-back') witness.note({ kind: 'version', version, now: 'not' })
    }
  }
  /** From the moment at which the manager binds the site to this box's key, the box must keep that key. */
  async function watchEnrolment(): Promise<void> {
    const db = new DatabaseSync(join(home.manager.data, 'manager.sqlite'), { readOnly: true, timeout: 5000 })
    const ask = db.prepare('SELECT signing_key FROM appliances WHERE site = ?')
    try {
      while (!ended.signal.aborted) {
        const row = Enrolled.parse(ask.get(home.site.id))
        if (row) {
          witness.note({ kind: 'phase', name: 'enrolment' })
          witness.note({ kind: 'key', x: SigningKey.parse(JSON.parse(row.signing_key)).x })
          return
        }
        await sleep(20)
      }
    } finally {
      db.close()
    }
  }

  let working: Running | undefined
  return {
    box,
    facts,
    get heard() {
      return [...witness.heard, ...leases]
    },
    ordered: (version) => witness.note({ kind: 'version', version, now: 'may' }),
    phase: (name) => witness.note({ kind: 'phase', name }),
    fact: (what, fits, ms) =>
      waitFor(what, () => facts.find(fits), { ms, details: () => `the console (${box.serial.file}):\n${box.serial.last(25)}` }),
    async work({ clients, perSecond }) {
      working = startClients(await home.guest('clients'), { log, clients, perSecond, onLease: (lease) => void leases.push(lease) })
    },
    async finish(systems) {
      if (working && !working.alive) throw new Error('the DHCP clients ended by themselves')
      await box.cutPower()
      await working?.end(500)
      ended.abort()
      await Promise.all([followed, watched])
      const known = new Map<string, string>()
      const shipped = openFile(before)
      known.set(slotDigest(shipped, await partition(before, 'slot-a')) ?? '', version)
      shipped.close()
      for (const [name, file] of systems) {
        const slot = openFile(file)
        known.set(slotDigest(slot, { offset: 0, bytes: slot.bytes }) ?? '', name)
        slot.close()
      }
      return { image: before, bytes: diskMiB * 2 ** 20, log: openWriteLog(log), heard: [...witness.heard, ...leases], systems: known }
    },
  }
}
