import { expect, test } from 'vitest'
import { MediaRecipe, mediaHash, type NewMediaRecipe } from './recipe.ts'

const url = 'http://boot.example/start.ipxe'

for (const { wrong, recipe, field, says } of [
  { wrong: 'nothing to boot', recipe: {}, field: '', says: 'expected exactly one of site, url and script, got none' },
  { wrong: 'two things to boot', recipe: { url, site: 'a' }, field: 'url', says: 'got site and url' },
  { wrong: 'an unknown output', recipe: { url, outputs: ['floppy'] }, field: 'outputs.0', says: '"iso"' },
  { wrong: 'no output', recipe: { url, outputs: [] }, field: 'outputs', says: 'expected at least one output' },
  { wrong: 'an unknown architecture', recipe: { url, architectures: ['riscv'] }, field: 'architectures.0', says: '"arm64"' },
  { wrong: 'an unknown field', recipe: { url, vlna: 5 }, field: '', says: 'vlna' },
  { wrong: 'an unknown option of the loader', recipe: { url, loader: { htps: true } }, field: 'loader', says: 'htps' },
  { wrong: 'an option with a wrong value', recipe: { url, loader: { https: 'yes' } }, field: 'loader.https', says: 'boolean' },
  { wrong: 'an URL that is none', recipe: { url: 'boot.example' }, field: 'url', says: 'expected an http, https' },
  { wrong: 'an URL that iPXE cannot load', recipe: { url: 'gopher://a/' }, field: 'url', says: 'expected an http, https' },
  { wrong: 'an URL with a space', recipe: { url: 'http://a/b c' }, field: 'url', says: 'without spaces' },
  { wrong: 'an URL with a line break', recipe: { url: 'http://a/\nreboot' }, field: 'url', says: 'without spaces' },
  { wrong: 'a very long URL', recipe: { url: `http://a/${'b'.repeat(2000)}` }, field: 'url', says: 'at most 2000' },
  { wrong: 'an oversized script', recipe: { script: `#!ipxe\n${'#'.repeat(70_000)}` }, field: 'script', says: 'at most 65536' },
  {
    wrong: 'an address without prefix',
    recipe: { url, network: { address: '10.0.0.1' } },
    field: 'network.address',
    says: 'with its prefix',
  },
  {
    wrong: 'a router outside the network',
    recipe: { url, network: { address: '10.0.0.2/24', gateway: '10.0.1.1' } },
    field: 'network.gateway',
    says: 'inside the network of 10.0.0.2/24',
  },
  { wrong: 'VLAN 0', recipe: { url, vlan: 0 }, field: 'vlan', says: '1' },
  { wrong: 'VLAN 4095', recipe: { url, vlan: 4095 }, field: 'vlan', says: '4094' },
  { wrong: 'a CA that is no certificate', recipe: { url, ca: 'hello' }, field: 'ca', says: 'PEM' },
  {
    wrong: 'a private key as CA',
    recipe: { url, ca: '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----' },
    field: 'ca',
    says: 'private key',
  },
  { wrong: 'a name that is no file name', recipe: { url, name: '../x' }, field: 'name', says: 'lower-case' },
  { wrong: 'an unknown way', recipe: { url, way: 'magic' }, field: 'way', says: '"prebuilt"' },
])
  test(`${wrong} is refused, naming the field`, () => {
    const read = MediaRecipe.safeParse(recipe)
    expect(read.success).toBe(false)
    const issue = read.error?.issues[0]
    expect(issue?.path.join('.')).toBe(field)
    expect(issue?.message).toContain(says)
  })

test('what is left out has its default; lists have one order', () => {
  expect(MediaRecipe.parse({ url, outputs: ['pxe', 'iso', 'pxe'] })).toEqual({
    url,
    architectures: ['x86_64', 'arm64'],
    firmware: ['bios', 'uefi'],
    way: 'auto',
    outputs: ['iso', 'pxe'],
    edition: '',
  })
})

test("an URL may hold iPXE's variables", () => {
  expect(MediaRecipe.safeParse({ url: 'http://${next-server}/boot?mac=${net0/mac}' }).success).toBe(true)
})

test('equal wishes have one name, whatever their order; other wishes another', () => {
  const hash = (recipe: NewMediaRecipe, ingredients = 'a') =>
    mediaHash({ recipe: MediaRecipe.parse(recipe), target: { kind: 'url', url: recipe.url ?? '' } }, ingredients)
  const one = hash({ url, outputs: ['iso', 'usb'], loader: { https: true, nfs: true } })
  expect(hash({ loader: { nfs: true, https: true }, outputs: ['usb', 'iso'], url })).toBe(one)
  for (const other of [{ url: `${url}x` }, { url, outputs: ['iso'] as const }, { url, edition: '2' }])
    expect(hash({ outputs: ['iso', 'usb'], loader: { https: true, nfs: true }, ...other } as NewMediaRecipe)).not.toBe(one)
  expect(hash({ url, outputs: ['iso', 'usb'], loader: { https: true, nfs: true } }, 'b')).not.toBe(one)
})

test('a recipe that was read once reads the same again', () => {
  const once = MediaRecipe.parse({ url, network: { address: '10.0.0.2/24' }, console: { serial: {} }, loader: { serial: {} } })
  expect(MediaRecipe.parse(JSON.parse(JSON.stringify(once)))).toEqual(once)
})
