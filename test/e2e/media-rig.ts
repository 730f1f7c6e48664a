import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import type { Bucket } from '@bridgehead/manager/engines/bucket/bucket.ts'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { makeMedia } from '@bridgehead/manager/packagers/media/make.ts'
import { getPart } from '@bridgehead/manager/packagers/media/parts/parts.ts'
import type { PartSpec } from '@bridgehead/manager/packagers/media/parts/spec.ts'
import { type MediaManifest, MediaRecipe, type NewMediaRecipe, type Output } from '@bridgehead/manager/packagers/media/recipe.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { cacheDirectory } from '../lab/cache.ts'

/** Makes media of a script as the manager's worker does, without the manager. */
export interface MediaRig {
  /** Removed by `close`. */
  directory: string
  bucket: Bucket
  /** All outputs of a script; a second call with the same script takes what is there. */
  make(outputs: readonly Output[], script: string): Promise<MediaManifest>
  /** A file of a part, as media take it, or of a package that only the lab needs. */
  part(spec: PartSpec, file: string): Promise<string>
  /** The file of an artifact, under its own name. */
  path(manifest: MediaManifest, output: Output, name?: RegExp): string
  /** The single files of a set, in a directory laid out as its README says. */
  unpack(manifest: MediaManifest, output: Output, layout?: (name: string) => string): Promise<string>
  close(): void
}

/** Parts of Debian's archive come once, into the bucket that outlives the tests. */
export function createMediaRig(): MediaRig {
  const directory = mkdtempSync(join(tmpdir(), 'bridgehead-media-'))
  const bucket = createFilesystemBucket({
    directory: join(cacheDirectory(), 'bucket'),
    presigner: createPresigner(new Uint8Array(32)),
    clock: systemClock,
  })
  let sets = 0
  const deps = { bucket, apt: machineApt(), workDirectory: join(cacheDirectory(), 'media') }
  const file = (sha256: string) => bucket.path?.(sha256) ?? ''
  return {
    directory,
    bucket,
    make(outputs, script) {
      const wish: NewMediaRecipe = { script, outputs: [...outputs], name: 'lab' }
      return makeMedia(
        { recipe: MediaRecipe.parse(wish), target: { kind: 'script', text: script } },
        {
          ...deps,
          ...{ clock: systemClock, signal: AbortSignal.timeout(600_000), progress: () => {}, log: () => {} },
        },
      )
    },
    async part(spec, name) {
      const found = await getPart(spec, '', {
        ...deps,
        signal: AbortSignal.timeout(600_000),
        cacheDirectory: join(deps.workDirectory, 'parts'),
      })
      return found.path(name)
    },
    path(manifest, output, name = /./) {
      const ref = manifest.files[output]?.find((one) => name.test(one.name))
      if (!ref) throw new Error(`the medium ${output} has no file ${name}`)
      return file(ref.sha256)
    },
    async unpack(manifest, output, layout = (name) => name) {
      const to = join(directory, `${output}-${++sets}`)
      for (const ref of manifest.files[output] ?? []) {
        const path = join(to, layout(ref.name))
        mkdirSync(dirname(path), { recursive: true })
        await writeFile(path, readFileSync(file(ref.sha256)))
      }
      return to
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}
