import { createHash } from 'node:crypto'
import { ArtifactRef, CpuArch, type ProfileTarget } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

/** What a host's disk shall hold. Two equal recipes are one image. */
export const HostImageRecipe = z.strictObject({
  kind: z.literal('host-image').default('host-image'),
  /** Debian release by code name; the manager machine's own when left out. */
  suite: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,30}$/, 'expected a Debian code name such as trixie')
    .optional(),
  architecture: CpuArch.default('x86_64'),
  /** `cloud` has the drivers of virtual machines only, and boots faster; `generic` has all of Debian's. */
  kernel: z.enum(['cloud', 'generic']).default('cloud'),
  /** Further packages of the same archive. */
  packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]{1,99}$/, 'expected the name of a Debian package'))
    .max(200)
    .default([]),
  /** Root file system in the image, MiB; as small as fits when left out. It grows to the disk at first boot anyway. */
  sizeMiB: z.int().min(256).max(65_536).optional(),
  locale: z
    .string()
    .regex(/^[A-Za-z_]{1,20}\.UTF-8$/, 'expected a UTF-8 locale such as C.UTF-8 or de_DE.UTF-8')
    .default('C.UTF-8'),
  timezone: z
    .string()
    .regex(/^[A-Za-z0-9_+-]{1,30}(\/[A-Za-z0-9_+-]{1,30}){0,2}$/, 'expected a time zone such as Etc/UTC or Europe/Berlin')
    .default('Etc/UTC'),
  /** Kernel parameters of the installed system. */
  cmdline: z
    .string()
    .max(500)
    .regex(/^[\w.,:=/@ +-]*$/, 'expected kernel parameters of letters, digits and . , : = / @ + - _')
    .default('console=tty0 console=ttyS0,115200 quiet'),
  /** Any text. A new one makes the image anew, from the archive's packages of that day. */
  edition: z.string().max(64).default(''),
})
export type HostImageRecipe = z.infer<typeof HostImageRecipe>
export type NewHostImageRecipe = z.input<typeof HostImageRecipe>
/** A recipe that leaves nothing open. */
export type ResolvedRecipe = HostImageRecipe & { suite: string }

/** What was made of a recipe; the document `recipes/{hash}.json` of the bucket. */
export const HostImageManifest = z.object({
  kind: z.literal('host-image'),
  hash: z.string(),
  recipe: HostImageRecipe.extend({ suite: z.string() }),
  /** zstd-compressed raw disk. */
  image: ArtifactRef,
  /** Unpacked. */
  imageBytes: z.int().positive(),
  /** The installer's kernel; the same as the image's own. */
  kernel: ArtifactRef,
  /** The deploy initramfs. */
  initrd: ArtifactRef,
  kernelVersion: z.string(),
  /** Debian packages in the image, name to version. */
  packages: z.record(z.string(), z.string()),
  /** Seconds by step. */
  seconds: z.record(z.string(), z.number()),
})
export type HostImageManifest = z.infer<typeof HostImageManifest>

/** Name of a recipe, and of what it makes: also counts what the packager itself puts in (`ingredients`: hash of its files). */
export function recipeHash(recipe: ResolvedRecipe, ingredients: string): string {
  const canonical = {
    ...recipe,
    packages: [...new Set(recipe.packages)].sort(),
    sizeMiB: recipe.sizeMiB ?? 0,
    ingredients,
  }
  const sorted = Object.fromEntries(Object.entries(canonical).sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

export const manifestKey = (hash: string) => `recipes/${hash}.json`

/** What a profile needs in order to install this image. `cmdline` is the installer's. */
export function profileTarget(
  manifest: HostImageManifest,
  cmdline = 'console=tty0 console=ttyS0,115200 quiet',
): z.infer<typeof ProfileTarget> {
  return { kernel: manifest.kernel, initrd: manifest.initrd, image: manifest.image, imageBytes: manifest.imageBytes, cmdline }
}
