import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MIGRATIONS } from '@bridgehead/appliance/store/migrations.ts'
import { BOARD_SPECS } from '@bridgehead/image/boards.ts'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { bundleApp } from '@bridgehead/manager/packagers/appliance-image/app.ts'
import { type ImageChanges, makeImage, planImage } from '@bridgehead/manager/packagers/appliance-image/make-image.ts'
import { ApplianceImageRequest } from '@bridgehead/manager/packagers/appliance-image/request.ts'
import { withWorkDirectory } from '@bridgehead/manager/packagers/host-image/work-directory.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { execa } from 'execa'
import { cacheDirectory } from '../cache.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** Where the builder keeps packages and tools: the same place as for `npm run image`. */
const WORK = join(ROOT, '.bridgehead/image')
/** Images that stay in the cache, some 300 MB each. */
const KEPT = 8

/** Files by their paths in the slot. */
export type Overlay = Readonly<Record<string, string>>

export interface Wish {
  board: 'x86_64' | 'rpi'
  version?: string
  overlay?: Overlay
  /** The daemon's `main.mjs`, instead of this source's own; nothing else lies beside it. */
  app?: string
  /** Changes this source's own `main.mjs`. */
  change?: (main: string) => string
  /** As it is released (xz, minutes); by default packed quickly. */
  release?: boolean
}

/** An image on this computer, as the builder leaves it. */
export interface BoxImage {
  /** The raw disk. */
  image: string
  slot: string
  blocks: string
  hash: string
  version: string
  /** Seconds that the build took, by step; empty when it was there already. */
  seconds: Readonly<Record<string, number>>
}

const source = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** A root shell on the second serial port, and a daemon whose debugger a signal opens, beside what the image runs anyway. */
export const LAB_SHELL: Overlay = {
  'etc/inittab': `${source('image/root/etc/inittab')}ttyS1::respawn:/usr/bin/sh\n`,
  'usr/lib/bridgehead/node-options': source('appliance/node-options').replace('--disable-sigusr1\n', ''),
}

/** Listens, says so on the console, and looks alive to the supervisor: what Node itself costs. */
const NOOP = `
import { createServer } from 'node:net'
import { utimesSync, writeFileSync } from 'node:fs'
createServer(() => undefined).listen(8080, () => writeFileSync('/dev/ttyS0', 'noop: listening\\n'))
setInterval(() => {
  const now = new Date()
  utimesSync('/run/bridgehead/alive', now, now)
}, 2000)
`

/** From the cache, or built now. */
export async function applianceImage(wish: Wish): Promise<BoxImage> {
  const given = await mkdtemp(join(tmpdir(), 'bridgehead-image-'))
  try {
    const changes = await layChanges(wish, given)
    const { board, version, release = false } = wish
    const request = ApplianceImageRequest.parse({ board, dev: !release, ...(version ? { version } : {}) })
    return await withWorkDirectory(WORK, 'image', async (work) => {
      const signal = AbortSignal.timeout(1_500_000)
      const plan = await planImage(request, changes, { work, signal })
      const kept = join(cacheDirectory(), 'appliance-images', plan.hash)
      const found = { hash: plan.hash, version: plan.release.version, ...pathsIn(kept) }
      if (existsSync(kept)) {
        await utimes(kept, new Date(), new Date())
        return { ...found, seconds: {} }
      }
      const made = await makeImage(plan, {
        ...{ apt: machineApt(), clock: systemClock, signal, workDirectory: WORK, work },
        progress: () => undefined,
      })
      const next = `${kept}.next-${process.pid}`
      await mkdir(next, { recursive: true })
      const to = pathsIn(next)
      await execa('cp', ['--sparse=always', made.image, to.image])
      for (const name of ['slot', 'blocks', 'sbom', 'licences'] as const) await cp(made[name], to[name])
      const { configOffset, packages } = made
      await writeFile(to.facts, JSON.stringify({ configOffset, packages, board }))
      await rename(next, kept)
      await forgetOld(dirname(kept))
      return { ...found, seconds: made.seconds }
    })
  } finally {
    await rm(given, { recursive: true, force: true })
  }
}

/** The same image around a daemon that only listens; see `image.boot` in ../../bench. */
export const noopImage = (): Promise<BoxImage> => applianceImage({ board: 'x86_64', app: NOOP })

/** A release that ends at once, whenever it is started. */
export const brokenImage = (version: string): Promise<BoxImage> =>
  applianceImage({ board: 'x86_64', version, app: "throw new Error('this release is broken')\n" })

/** A release that crashes the machine before its daemon is started, whenever it is started: as bad, and three times as quick. */
export const crashingImage = (version: string): Promise<BoxImage> =>
  applianceImage({
    ...{ board: 'x86_64', version },
    overlay: {
      'etc/inittab': source('image/root/etc/inittab').replace(
        '/usr/lib/bridgehead/supervisor',
        '/usr/bin/sh -c "echo b >/proc/sysrq-trigger"',
      ),
    },
  })

/** A release that hangs before its daemon is started, whenever it is started; its watchdog waits less long than that of others. */
export const hangingImage = (version: string): Promise<BoxImage> => {
  const begins = '# --- file systems'
  const start = source('image/root/etc/rcS').replace('FEED_S=300', 'FEED_S=20').replace(begins, `sleep 86400\n${begins}`)
  const inittab = source('image/root/etc/inittab').replace('::sysinit:/etc/rcS', '::sysinit:/usr/bin/sh /etc/rcS')
  return applianceImage({ board: 'x86_64', version, overlay: { 'etc/rcS': start, 'etc/inittab': inittab } })
}

/** Puts an image into a bucket as a builder elsewhere does; the manifest goes to `POST /appliance-images/import`. */
export async function publish({ hash, version, image, slot }: BoxImage, bucketDirectory: string): Promise<ApplianceImageManifest> {
  const bucket = createFilesystemBucket({
    directory: bucketDirectory,
    presigner: createPresigner(new Uint8Array(32)),
    clock: systemClock,
  })
  const paths = pathsIn(dirname(slot))
  const put = async (path: string, name: string) => ({ ...(await bucket.put(createReadStream(path), { name })), name })
  const facts = JSON.parse(await readFile(paths.facts, 'utf8')) as Record<string, unknown>
  const raw = await put(image, `bridgehead-${version}.img`)
  return ApplianceImageManifest.parse({
    ...{ kind: 'appliance-image', hash, version, board: facts.board, packages: facts.packages, dataSchema: MIGRATIONS.length },
    image: { raw, bytes: (await stat(image)).size, sha256: raw.sha256, configOffset: facts.configOffset, configBytes: 4096 },
    slot: await put(slot, 'slot.squashfs'),
    blocks: await put(paths.blocks, 'slot.blocks'),
    sbom: await put(paths.sbom, 'sbom.spdx.json'),
    licences: await put(paths.licences, 'licences.txt'),
  })
}

const pathsIn = (directory: string) => ({
  image: join(directory, 'image.img'),
  slot: join(directory, 'slot'),
  blocks: join(directory, 'blocks'),
  sbom: join(directory, 'sbom.spdx.json'),
  licences: join(directory, 'licences.txt'),
  facts: join(directory, 'facts.json'),
})

async function layChanges({ board, overlay, app, change }: Wish, directory: string): Promise<ImageChanges> {
  const changes: ImageChanges = {}
  if (change) {
    changes.app = join(directory, 'app')
    await bundleApp(BOARD_SPECS[board].node, changes.app, AbortSignal.timeout(60_000))
    const main = join(changes.app, 'main.mjs')
    await writeFile(main, change(await readFile(main, 'utf8')))
  }
  if (app !== undefined) {
    changes.app = join(directory, 'app')
    await mkdir(changes.app)
    await writeFile(join(changes.app, 'main.mjs'), app)
  }
  if (overlay === undefined) return changes
  changes.overlay = join(directory, 'overlay')
  for (const [path, text] of Object.entries(overlay)) {
    const file = join(changes.overlay, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  return changes
}

async function forgetOld(directory: string): Promise<void> {
  const entries = await Promise.all(
    (await readdir(directory)).map(async (name) => ({ path: join(directory, name), at: (await stat(join(directory, name))).mtimeMs })),
  )
  for (const { path } of entries.sort((a, b) => b.at - a.at).slice(KEPT)) await rm(path, { recursive: true, force: true })
}
