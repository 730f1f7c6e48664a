import { expect, test } from 'vitest'
import { HostImageManifest, HostImageRecipe, profileTarget, recipeHash } from './recipe.ts'

const recipe = (more: object = {}) => ({ ...HostImageRecipe.parse(more), suite: 'trixie' })
const hash = (more: object = {}, ingredients = 'v1') => recipeHash(recipe(more), ingredients)

for (const { what, a, b, same } of [
  { what: 'an empty recipe and its defaults written out', a: {}, b: { kernel: 'cloud', architecture: 'x86_64', packages: [] }, same: true },
  { what: 'the same packages in another order, one twice', a: { packages: ['a1', 'b1'] }, b: { packages: ['b1', 'a1', 'b1'] }, same: true },
  { what: 'another kernel', a: {}, b: { kernel: 'generic' }, same: false },
  { what: 'one package more', a: {}, b: { packages: ['nftables'] }, same: false },
  { what: 'another edition', a: {}, b: { edition: '2026-12' }, same: false },
  { what: 'another size', a: {}, b: { sizeMiB: 1024 }, same: false },
])
  test(`${what}: ${same ? 'one image' : 'two images'}`, () => {
    expect(hash(a) === hash(b)).toBe(same)
    expect(hash(a)).toMatch(/^[0-9a-f]{64}$/)
  })

test('new files of the packager make a new image', () => expect(hash({}, 'v1')).not.toBe(hash({}, 'v2')))

for (const { wrong, recipe, field } of [
  { wrong: 'an unknown key', recipe: { kernl: 'cloud' }, field: '' },
  { wrong: 'a package that is an option', recipe: { packages: ['--foo'] }, field: 'packages.0' },
  { wrong: 'a package with a second in it', recipe: { packages: ['a,b'] }, field: 'packages.0' },
  { wrong: 'a suite with a slash', recipe: { suite: '../x' }, field: 'suite' },
  { wrong: 'a kernel parameter with a quote', recipe: { cmdline: "x='y'" }, field: 'cmdline' },
  { wrong: 'a kernel parameter for sed', recipe: { cmdline: 'a|b&c' }, field: 'cmdline' },
  { wrong: 'a time zone outside its folder', recipe: { timezone: '../../etc/passwd' }, field: 'timezone' },
  { wrong: 'a locale without UTF-8', recipe: { locale: 'de_DE' }, field: 'locale' },
  { wrong: 'a tiny disk', recipe: { sizeMiB: 10 }, field: 'sizeMiB' },
])
  test(`${wrong} is refused`, () => {
    const result = HostImageRecipe.safeParse(recipe)
    expect(result.success).toBe(false)
    expect(result.error?.issues[0]?.path.join('.')).toBe(field)
  })

test('a manifest becomes what a profile needs', () => {
  const ref = (name: string) => ({ sha256: 'a'.repeat(64), bytes: 1, name })
  const manifest = HostImageManifest.parse({
    kind: 'host-image',
    hash: 'h',
    recipe: recipe(),
    image: ref('disk'),
    imageBytes: 10,
    kernel: ref('vmlinuz'),
    initrd: ref('initrd'),
    kernelVersion: '6',
    packages: {},
    seconds: {},
  })
  expect(profileTarget(manifest, 'x=y')).toEqual({
    kernel: ref('vmlinuz'),
    initrd: ref('initrd'),
    image: ref('disk'),
    imageBytes: 10,
    cmdline: 'x=y',
  })
})
