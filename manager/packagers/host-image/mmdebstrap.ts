import { type Archive, formatOneLine } from '../../engines/apt/archive.ts'
import { KEPT_PATHS } from './packages.ts'

export interface MmdebstrapPlan {
  architecture: 'amd64' | 'arm64'
  mode: 'root' | 'unshare'
  archive: Archive
  packages: readonly string[]
  excludedPaths: readonly string[]
  /** File of apt settings. */
  aptSettings: string
  /** Copied into the new root before the packages beyond the essential ones are unpacked. */
  overlay: string
  /** Script that gets the new root as its argument; reads the rest from the environment. */
  finish: string
}

/** mmdebstrap's arguments. It writes nothing itself: the finishing script makes the disk out of the unpacked root. */
export function mmdebstrapArguments(plan: MmdebstrapPlan): string[] {
  return [
    `--mode=${plan.mode}`,
    '--variant=apt',
    '--format=null',
    `--architectures=${plan.architecture}`,
    `--aptopt=${plan.aptSettings}`,
    ...plan.excludedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...KEPT_PATHS.map((path) => `--dpkgopt=path-include=${path}`),
    // Nothing in an image needs to survive a power cut during the build.
    '--dpkgopt=force-unsafe-io',
    `--include=${plan.packages.join(',')}`,
    // Debian 12 merges /usr by a package that brings Perl, a sixth of the image; this hook does it beforehand, where it is due.
    '--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr',
    `--essential-hook=umask 022; cp -R ${quote(plan.overlay)}/. "$1"/`,
    `--customize-hook=${quote(plan.finish)} "$1"`,
    // The finishing script has cleaned already; nothing may call apt after it.
    '--skip=check/qemu,cleanup/apt',
    plan.archive.codename,
    '/dev/null',
    ...plan.archive.parts.map(formatOneLine),
  ]
}

/** How far mmdebstrap has come, by the lines it and the finishing script print. */
export function progressOf(line: string): { fraction: number; text: string } | undefined {
  const found = STEPS.find(([start]) => line.startsWith(start))
  return found && { fraction: found[1], text: found[2] }
}

const STEPS: readonly (readonly [string, number, string])[] = [
  ['I: running apt-get update', 0.02, 'reading package lists'],
  ['I: downloading packages', 0.06, 'downloading packages'],
  ['I: extracting archives', 0.12, 'unpacking the essential packages'],
  ['I: installing essential', 0.18, 'installing the essential packages'],
  ['I: installing remaining', 0.3, 'installing kernel, systemd and SSH'],
  ['bridgehead: settings', 0.6, 'writing settings'],
  ['bridgehead: file system', 0.65, 'making the file system'],
  ['bridgehead: done', 0.7, 'file system made'],
]

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
