import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type Archive, formatDeb822 } from '../../engines/apt/archive.ts'
import type { MakerDeps } from '../../engines/jobs/maker-deps.ts'
import type { ResolvedRecipe } from '../recipe.ts'
import { type DiskIds, LAYOUT } from './layout.ts'
import { mmdebstrapArguments, progressOf } from './mmdebstrap.ts'
import { excludedPaths, initramfsSettings, packagesOf } from './packages.ts'

export class ImageError extends Error {
  readonly code = 'image'
}

/**
 * Runs mmdebstrap, whose last step (`finish.sh`) leaves in `out`: disk.raw with its root file system, vmlinuz, modules.tar, packages
 * and facts. As root or, without, in a user namespace. Throws ImageError with the last lines that it said.
 */
export async function unpack({
  resolved,
  archive,
  work,
  out,
  ids,
  deps,
}: {
  resolved: ResolvedRecipe
  archive: Archive
  work: string
  out: string
  ids: DiskIds
  deps: Pick<MakerDeps, 'apt' | 'signal' | 'log' | 'progress'>
}): Promise<void> {
  // Without root, the packages are unpacked by a user namespace whose users are strangers to these directories.
  await chmod(work, 0o711)
  await mkdir(out)
  await chmod(out, 0o777)
  const { overlay, finish, sources, aptSettings, parts } = await inputs({ resolved, archive, work, deps })
  const mode = process.getuid?.() === 0 ? 'root' : 'unshare'
  const [program = '', ...before] = mode === 'root' ? [...(await ownMounts()), 'mmdebstrap'] : ['mmdebstrap']
  const child = execa(
    program,
    [
      ...before,
      ...mmdebstrapArguments({
        architecture: 'amd64',
        mode,
        archive: { ...archive, parts },
        packages: packagesOf(resolved),
        excludedPaths: excludedPaths(resolved),
        aptSettings,
        overlay,
        finish,
      }),
    ],
    {
      stdin: 'ignore',
      stdout: 'ignore',
      reject: false,
      detached: true, // a process group of its own, see below
      env: {
        LC_ALL: 'C.UTF-8',
        TMPDIR: out,
        OUT: out,
        ROOT_OFFSET: String(LAYOUT.root.offset),
        SIZE_MIB: String(resolved.sizeMiB ?? 0),
        PARTUUID: ids.root,
        FS_UUID: ids.fileSystem,
        CMDLINE: resolved.cmdline,
        LANG_NAME: resolved.locale,
        TIMEZONE: resolved.timezone,
        SOURCES: sources,
      },
    },
  )
  // The whole group: mmdebstrap alone would wait for its apt to end. It unmounts and removes what it made, then ends.
  const stop = () => {
    if (child.pid !== undefined) signalGroup(child.pid)
  }
  deps.signal.addEventListener('abort', stop)
  if (deps.signal.aborted) stop()
  const last: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    last.push(line)
    if (last.length > 15) last.shift()
    await deps.log(line)
    const step = progressOf(line)
    if (step) await deps.progress(step.fraction, step.text)
  }
  const result = await child
  deps.signal.removeEventListener('abort', stop)
  deps.signal.throwIfAborted()
  if (result.exitCode !== 0)
    throw new ImageError(`mmdebstrap ended with ${result.exitCode ?? result.signal ?? result.shortMessage}:\n${last.join('\n')}`)
}

/**
 * As root, mmdebstrap mounts /proc, /sys and /dev where everybody sees them. In a mount namespace of its own they vanish with it, even
 * when it is killed. Inside a plain chroot no such namespace can be had; then it works as it stands.
 */
async function ownMounts(): Promise<string[]> {
  const command = ['unshare', '--mount', '--propagation', 'slave']
  const tried = await execa('unshare', [...command.slice(1), 'true'], { reject: false, stdin: 'ignore' })
  return tried.exitCode === 0 ? command : []
}

function signalGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGTERM')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
  }
}

/** What mmdebstrap and the finishing script read; copied, because a user namespace may not see the program's own files. */
async function inputs({
  resolved,
  archive,
  work,
  deps,
}: {
  resolved: ResolvedRecipe
  archive: Archive
  work: string
  deps: Pick<MakerDeps, 'apt'>
}) {
  const copy = async (name: string) => {
    await execa('cp', ['-R', fileURLToPath(new URL(`./${name}`, import.meta.url)), join(work, name)])
    return join(work, name)
  }
  const file = async (name: string, text: string, mode = 0o644) => {
    await writeFile(join(work, name), text, { mode })
    return join(work, name)
  }
  const overlay = await copy('overlay')
  await mkdir(join(overlay, 'etc/initramfs-tools/conf.d'), { recursive: true })
  await file('overlay/etc/initramfs-tools/conf.d/bridgehead.conf', initramfsSettings(resolved))
  const settings = [...(await deps.apt.reach()), 'Acquire::Languages "none";', 'APT::Install-Recommends "false";', '']
  const parts = await Promise.all(
    archive.parts.map(async (part, index) =>
      part.signedBy?.includes('\n') ? { ...part, signedBy: await file(`key-${index}.asc`, part.signedBy) } : part,
    ),
  )
  return {
    overlay,
    finish: await copy('finish.sh'),
    sources: await file('debian.sources', formatDeb822(archive)),
    // A proxy's password may be in it; a user namespace, though, reads as a stranger.
    aptSettings: await file('apt.conf', settings.join('\n'), process.getuid?.() === 0 ? 0o600 : 0o644),
    parts,
  }
}
