import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { execa } from 'execa'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { BuildError } from '../confine/error.ts'
import { artifactName, type ConfiguredSource, type Source } from './source.ts'

/**
 * Settings' sources as any worker can have them: a directory (or tarball) of this machine is put into the bucket. Its version is its
 * content, so that a changed directory is another source. One that is not there is passed over and told by `missing`.
 */
export async function pinSources(
  sources: readonly ConfiguredSource[],
  { bucket, missing }: { bucket: Bucket; missing(message: string): void | Promise<void> },
): Promise<Source[]> {
  const pinned: Source[] = []
  for (const source of sources)
    if (source.kind !== 'directory') pinned.push(source)
    else {
      const found = await pin(resolve(source.path), bucket)
      if (found) pinned.push(found)
      else await missing(`${source.path}: there is no such directory or file`)
    }
  return pinned
}

async function pin(path: string, bucket: Bucket): Promise<Source | undefined> {
  const is = await stat(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)))
  if (!is) return undefined
  const label = basename(path)
    .toLowerCase()
    .replaceAll(/[^a-z0-9+.-]/g, '-')
  const [, name = label, version] = /^([a-z][a-z0-9+-]*?)[-_](\d[\w.+~-]*?)(?:\.tar(?:\.\w+)?|\.tgz)?$/.exec(label) ?? []
  const stored = is.isDirectory() ? await putTree(path, bucket) : await bucket.put(createReadStream(path), { name: artifactName(label) })
  const fallback = `0+${stored.sha256.slice(0, 12)}`
  return {
    kind: 'upload',
    sha256: stored.sha256,
    name: name.replace(/^[^a-z0-9]+/, '').slice(0, 64) || 'source',
    version: version ?? fallback,
  }
}

/** The same tree gives the same bytes: names in order, no times, no owners. Left out: git's own files and what an earlier make left in `bin*`. */
async function putTree(path: string, bucket: Bucket) {
  const left = ['--exclude=./.git', '--exclude=*.o', '--exclude=./src/bin', '--exclude=./src/bin-*']
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go=rX', '--format=gnu']
  const tar = execa('tar', ['-C', path, ...left, ...same, '-cf', '-', '.'], { stdin: 'ignore', stdout: 'pipe', buffer: { stdout: false } })
  const [stored] = await Promise.all([
    bucket.put(tar.readable(), { name: basename(path) }),
    tar.catch((cause: Error) => {
      throw new BuildError('source', `${path} cannot be read: ${cause.message}`, { cause })
    }),
  ])
  return stored
}
