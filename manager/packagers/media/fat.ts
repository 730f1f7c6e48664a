import { mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'

/** Time of everything on our media, 2020-01-01, so that the same recipe gives the same bytes. Seconds since 1970. */
export const MEDIA_TIME = 1_577_836_800
const MIB = 1_048_576
const SECTOR_BYTES = 512

/** What lies in a file system: path there -> a file of this machine, or its bytes. */
export type FatFiles = Readonly<Record<string, string | Uint8Array>>

export interface FatOptions {
  /** Made when it is not there, never made shorter. */
  image: string
  /** Where the file system begins in it; whole sectors. */
  offset: number
  /** Size of the file system; whole KiB. */
  bytes: number
  type: 12 | 16 | 32
  label: string
  /** Serial number: 8 hexadecimal digits. */
  id: string
  files: FatFiles
  /** An empty or missing directory for the caller's files under their names. */
  stage: string
  signal: AbortSignal
  /** Directory of mkfs.vfat, mmd and mcopy; this machine's when left out. */
  programs?: string | undefined
}

/**
 * Writes a FAT file system into a file, without root or loop devices. Directories and files are written in the order of their names, so that
 * the same files give the same bytes on every machine. Throws ExecaError (mtools says which file did not fit), or the signal's reason.
 */
export async function writeFat({ image, offset, bytes, type, label, id, files, stage, signal, programs }: FatOptions): Promise<void> {
  const file = await open(image, 'a')
  try {
    if ((await file.stat()).size < offset + bytes) await file.truncate(offset + bytes)
  } finally {
    await file.close()
  }
  const run = (program: string, args: readonly string[]) =>
    execa(program, args, {
      stdin: 'ignore',
      cancelSignal: signal,
      env: {
        ...(programs === undefined ? {} : { PATH: `${programs}:${process.env.PATH}` }),
        SOURCE_DATE_EPOCH: String(MEDIA_TIME),
        TZ: 'UTC',
        LC_ALL: 'C',
        MTOOLS_SKIP_CHECK: '1',
        MTOOLS_LOWER_CASE: '0',
      },
    })
  const format = ['--invariant', '-F', String(type), '-i', id, '-n', label, `--offset=${offset / SECTOR_BYTES}`]
  await run('mkfs.vfat', [...format, ...(type === 16 ? ['-s', '4'] : []), image, String(bytes / 1024)])

  const within = `${image}@@${offset}`
  const paths = Object.keys(files).sort()
  const folders = [...new Set(paths.flatMap((path) => ancestors(path)))].sort()
  if (folders.length > 0) await run('mmd', ['-i', within, ...folders.map((folder) => `::/${folder}`)])
  for (const folder of ['', ...folders]) {
    const here = paths.filter((path) => dirname(path) === (folder === '' ? '.' : folder))
    if (here.length === 0) continue
    await mkdir(join(stage, folder), { recursive: true })
    const staged = await Promise.all(here.map((path) => put(files[path] ?? '', join(stage, path))))
    await run('mcopy', ['-Q', '-i', within, ...staged, `::/${folder}`])
  }
}

/** Size that the files need, with room for an operator's own, in whole MiB and at least `atLeast`. */
export function roomFor(files: readonly number[], atLeast: number): number {
  const needed = files.reduce((sum, bytes) => sum + Math.ceil(bytes / 4096) * 4096, 0)
  return Math.max(atLeast, Math.ceil((needed * 1.25 + MIB) / MIB) * MIB)
}

/** mtools names what it copies after the source. */
async function put(from: string | Uint8Array, to: string): Promise<string> {
  await (typeof from === 'string' ? symlink(from, to) : writeFile(to, from))
  return to
}

/** `a/b/c` -> `a`, `a/b`. */
function ancestors(path: string): string[] {
  const segments = path.split('/').slice(0, -1)
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'))
}
