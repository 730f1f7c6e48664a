import { createHash } from 'node:crypto'
import { crossPrefix } from '../cross.ts'
import type { IpxeOptions } from './options.ts'
import { certificatesIn } from './pem.ts'
import { type IpxePlatform, type IpxeTarget, PLATFORMS } from './request.ts'

/** Where the sandbox has the tree and its input. Paths get into debugging sections, so they are the same on every machine. */
export const TREE = '/build'
export const INPUT = '/input'

export interface MakePlan {
  argv: [string, ...string[]]
  env: Record<string, string>
  /** Text by file name in INPUT. Names of certificates follow their content: iPXE notices a new name, not a new content (1.21.1, 2.0.0). */
  input: Record<string, string>
}

export interface MakeWish {
  platform: IpxePlatform
  targets: readonly IpxeTarget[]
  options: IpxeOptions
  script: string | undefined
  /** Such as 1.21.1; what is before the first character that is neither digit nor dot counts. */
  version: string
  /** Time stamp of what is built (epoch seconds): the source's own, so that it never changes. */
  epoch: number
  /** Of this machine, as `process.arch` has it. */
  machine: string
  jobs: number
}

/** The one file whose content changes from make to make. */
export const SCRIPT_FILE = 'embedded.ipxe'

export function planMake({ platform, targets, options, script, version, epoch, machine, jobs }: MakeWish): MakePlan {
  const certificates = (kind: string, text: string | undefined) =>
    text === undefined ? [] : certificatesIn(text).map(({ pem }) => [`${kind}-${short(pem)}.pem`, `${pem}\n`] as const)
  const trust = certificates('trust', options.trust)
  const carried = certificates('certificate', options.certificates)
  const list = (files: readonly (readonly [string, string])[]) => files.map(([name]) => `${INPUT}/${name}`).join(',')
  const variables = {
    EMBED: script === undefined ? '' : `${INPUT}/${SCRIPT_FILE}`,
    TRUST: list(trust),
    CERT: list(carried),
    CROSS_COMPILE: crossPrefix(PLATFORMS[platform].architecture, machine),
    // 1.21.1 draws the id by lot and takes the time from the clock; 2.0.0 hashes objects, which know the path they were compiled in.
    BUILD_ID_CMD: `printf "%s" "$@ ${buildId({ options, script, version })}" | cksum | cut -d" " -f1`,
    BUILD_TIMESTAMP: String(epoch),
    // Older sources on a newer compiler: what is a warning shall not stop a build.
    NO_WERROR: '1',
    ...versionVariables(version),
  }
  return {
    argv: ['make', `-j${jobs}`, ...targets, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    env: { SOURCE_DATE_EPOCH: String(epoch) },
    input: Object.fromEntries([...trust, ...carried, ...(script === undefined ? [] : [[SCRIPT_FILE, script] as const])]),
  }
}

/** Release tarballs of before 2.0.0 know their version from git alone, and would call themselves 1.0.0+. */
function versionVariables(version: string): Record<string, string> {
  const [, major, minor, patch, rest] = /^(?:\d+:)?(\d+)\.(\d+)\.(\d+)(.*)$/.exec(version) ?? []
  if (major === undefined || minor === undefined || patch === undefined) return {}
  return {
    VERSION_MAJOR: major,
    VERSION_MINOR: minor,
    VERSION_PATCH: patch,
    EXTRAVERSION: /^[+~]/.test(rest ?? '') ? '+' : '',
    GITVERSION: '',
  }
}

function buildId(parts: unknown): string {
  return short(JSON.stringify(parts))
}

const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)
