import type { InferResponseType } from 'hono/client'
import type { Image } from '../../../../packagers/images.ts'
import type { api } from '../api/client.ts'
import { readTags, tagLines } from '../parts/tags.ts'

export type Profile = InferResponseType<(typeof api.scripts.profiles)[':id']['$get'], 200>
type Target = NonNullable<Profile['targets']['x86_64']>

export const ARCHITECTURES = ['x86_64', 'arm64'] as const
export type Architecture = (typeof ARCHITECTURES)[number]

/** What the form holds. `image`: what it has now (`keep`), nothing, or the hash of a host image. */
export interface ProfileWish {
  name: string
  targets: Record<Architecture, { image: string; cmdline: string }>
  ipxe: string
  postInstall: string
  vars: string
}
export const KEEP = 'keep'

/** Pure. */
export const wishOfProfile = ({ name, targets, ipxe = '', postInstall = '', vars }: Profile): ProfileWish => ({
  name,
  targets: {
    x86_64: { image: targets.x86_64 ? KEEP : '', cmdline: targets.x86_64?.cmdline ?? '' },
    arm64: { image: targets.arm64 ? KEEP : '', cmdline: targets.arm64?.cmdline ?? '' },
  },
  ipxe,
  postInstall,
  vars: tagLines(vars),
})

/** As the API takes it, made from this version. Pure. */
export function profileOf(wish: ProfileWish, base: Profile, images: readonly Pick<Image, 'hash' | 'target'>[]) {
  const targets: Partial<Record<Architecture, Target>> = {}
  for (const arch of ARCHITECTURES) {
    const { image, cmdline } = wish.targets[arch]
    const target = image === KEEP ? base.targets[arch] : images.find(({ hash }) => hash === image)?.target
    if (target) targets[arch] = { ...target, cmdline }
  }
  return {
    name: wish.name,
    version: base.version,
    targets,
    vars: readTags(wish.vars).tags,
    ...(wish.ipxe === '' ? {} : { ipxe: wish.ipxe }),
    ...(wish.postInstall === '' ? {} : { postInstall: wish.postInstall }),
  }
}

export interface Change {
  what: string
  before: string
  after: string
}

/** What differs between two versions, in words; an empty text is nothing. `scriptName`: of a script by id. Pure. */
export function profileChanges(before: Profile, after: Profile, scriptName: (id: string) => string): Change[] {
  const parts = (profile: Profile): Record<string, string> => ({
    Name: profile.name,
    ...Object.fromEntries(
      ARCHITECTURES.flatMap((arch) => {
        const target = profile.targets[arch]
        return [
          [`Image for ${arch}`, target?.image ? artifactWords(target.image) : ''],
          [`Kernel for ${arch}`, target ? artifactWords(target.kernel) : ''],
          [`Installer for ${arch}`, target ? artifactWords(target.initrd) : ''],
          [`Kernel's command line for ${arch}`, target?.cmdline ?? ''],
        ]
      }),
    ),
    'Script after installation': profile.postInstall === undefined ? '' : scriptName(profile.postInstall),
    'Boot script': profile.ipxe === undefined ? '' : scriptName(profile.ipxe),
    ...Object.fromEntries(Object.entries(profile.vars).map(([name, value]) => [`Variable ${name}`, value])),
  })
  const [was, is] = [parts(before), parts(after)]
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .map((what) => ({ what, before: was[what] ?? '', after: is[what] ?? '' }))
    .filter((change) => change.before !== change.after)
}

/** A name and the beginning of its hash: two builds often have one name. */
const artifactWords = ({ name, sha256 }: { name: string; sha256: string }) => `${name} (${sha256.slice(0, 8)})`
