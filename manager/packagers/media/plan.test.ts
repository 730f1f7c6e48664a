import { expect, test } from 'vitest'
import { RSA_CA } from '../../builders/ipxe/testing-certificates.ts'
import { planMedia } from './plan.ts'
import { MediaRecipe, type MediaTarget, type NewMediaRecipe } from './recipe.ts'

const url = 'http://10.0.0.1/start.ipxe'
const CA = RSA_CA

function plan(recipe: NewMediaRecipe) {
  const parsed = MediaRecipe.parse(recipe)
  const target: MediaTarget =
    parsed.site !== undefined
      ? { kind: 'site', id: 's', name: parsed.site, servers: ['http://192.168.7.2'] }
      : parsed.url !== undefined
        ? { kind: 'url', url: parsed.url }
        : { kind: 'script', text: parsed.script ?? '' }
  return planMedia({ recipe: parsed, target })
}
const ways = (recipe: NewMediaRecipe) => plan(recipe).platforms.map(({ platform, way, script }) => `${platform} ${way} ${script}`)

const PREBUILT = ['bin prebuilt file', 'bin-x86_64-efi prebuilt file', 'bin-arm64-efi prebuilt file']
const COMPILED = ['bin compiled embedded', 'bin-x86_64-efi compiled embedded', 'bin-arm64-efi compiled embedded']

for (const { recipe, way, because } of [
  { recipe: { url }, way: PREBUILT, because: "Debian's prebuilt iPXE" },
  { recipe: { site: 'shop-7' }, way: PREBUILT, because: 'autoexec.ipxe' },
  { recipe: { url: 'https://boot.example/x' }, way: PREBUILT, because: 'prebuilt' },
  { recipe: { url, outputs: ['pxe'] as const }, way: PREBUILT, because: 'the DHCP server must name it' },
  { recipe: { url, vlan: 5, network: { address: '10.0.0.2/24' } }, way: PREBUILT, because: 'prebuilt' },
  { recipe: { url, loader: { https: true, poweroff: true, keyboard: 'us' as const } }, way: PREBUILT, because: 'prebuilt' },
  { recipe: { url, loader: { ntp: true } }, way: COMPILED, because: 'the option "ntp"' },
  { recipe: { url, loader: { https: false } }, way: COMPILED, because: 'the option "https"' },
  { recipe: { url, loader: { keyboard: 'de' as const } }, way: COMPILED, because: '"keyboard"' },
  { recipe: { url, autoexec: false }, way: COMPILED, because: 'inside the loader' },
  { recipe: { url, way: 'compiled' as const }, way: COMPILED, because: 'asks for compiled' },
  { recipe: { url: 'https://boot.example/x', ca: CA }, way: COMPILED, because: 'certificate authorities' },
  { recipe: { script: '#!ipxe\nntp pool.example\n' }, way: COMPILED, because: 'line 2: "ntp" is not in' },
  {
    recipe: { url, way: 'compiled' as const, autoexec: true },
    way: ['bin compiled file', 'bin-x86_64-efi compiled file', 'bin-arm64-efi compiled file'],
    because: 'asks for compiled',
  },
  {
    recipe: { url, console: { serial: {} } },
    way: ['bin compiled embedded', 'bin-x86_64-efi prebuilt file', 'bin-arm64-efi prebuilt file'],
    because: 'serial ports',
  },
  { recipe: { url, firmware: ['uefi'] as const, architectures: ['arm64'] as const }, way: ['bin-arm64-efi prebuilt file'], because: '' },
  { recipe: { url, firmware: ['bios'] as const }, way: ['bin prebuilt file'], because: '' },
  { recipe: { url, outputs: ['pi'] as const }, way: ['bin-arm64-efi prebuilt file'], because: '' },
])
  test(`${JSON.stringify(recipe).slice(0, 90)} takes ${way.join(', ')}`, () => {
    expect(plan(recipe as NewMediaRecipe).refusals).toEqual([])
    expect(ways(recipe as NewMediaRecipe)).toEqual(way)
    expect(plan(recipe as NewMediaRecipe).platforms[0]?.why).toContain(because)
  })

for (const { recipe, field, says } of [
  { recipe: { script: 'hello' }, field: 'script', says: 'expected #!ipxe' },
  { recipe: { script: '#!ipxe\nfrobnicate\n' }, field: 'script', says: 'line 2: "frobnicate" is no iPXE command' },
  { recipe: { url: 'https://a.example/', loader: { https: false } }, field: 'loader.https', says: 'needs HTTPS' },
  { recipe: { url, vlan: 5, loader: { vlan: false } }, field: 'loader.vlan', says: '"vcreate" is not in the loader' },
  { recipe: { script: '#!ipxe\nntp a\n', way: 'prebuilt' }, field: 'script', says: 'expected way "auto" or "compiled"' },
  { recipe: { url: 'https://a.example/', ca: CA, way: 'prebuilt' }, field: 'ca', says: 'must be compiled in' },
  { recipe: { url, ca: CA }, field: 'ca', says: 'nothing in this recipe goes over HTTPS' },
  { recipe: { url, loader: { trust: 'x' } }, field: 'loader.trust', says: '' },
  { recipe: { url, architectures: ['arm64'], firmware: ['bios'] }, field: 'firmware', says: 'expected "uefi"' },
  { recipe: { url, outputs: ['pi'], architectures: ['x86_64'] }, field: 'outputs.0', says: 'expected "arm64" among architectures' },
  { recipe: { url, outputs: ['iso', 'secure-boot'], firmware: ['bios'] }, field: 'outputs.1', says: 'only UEFI has Secure Boot' },
  { recipe: { url, outputs: ['bundle'] }, field: 'outputs.0', says: 'expected the field site' },
  { recipe: { url: 'http://boot.example/', network: { address: '10.0.0.2/24' } }, field: 'network.dns', says: '"boot.example"' },
  { recipe: { url: 'http://10.9.0.1/', network: { address: '10.0.0.2/24' } }, field: 'network.gateway', says: '10.9.0.1 lies outside' },
])
  test(`${JSON.stringify(recipe).slice(0, 90)} is refused at ${field}`, () => {
    const read = MediaRecipe.safeParse(recipe)
    const [first] = read.success ? plan(recipe as NewMediaRecipe).refusals : []
    const [issue] = read.error?.issues ?? []
    expect((first?.field ?? issue?.path)?.join('.')).toBe(field)
    expect(first?.message ?? issue?.message).toContain(says)
  })

test('each thing is said once, however many platforms find it', () => {
  expect(plan({ script: 'hello' }).refusals).toHaveLength(1)
})

test('loaders are named by output: small ones for the network, whole ones for media', () => {
  const targets = (outputs: NewMediaRecipe['outputs'], way?: 'compiled') =>
    plan({ url, ...(outputs ? { outputs } : {}), ...(way ? { way } : {}) }).platforms.flatMap((one) => one.targets)
  expect(targets(['iso', 'usb'])).toEqual(['bin/ipxe.lkrn', 'bin-x86_64-efi/ipxe.efi', 'bin-arm64-efi/ipxe.efi'])
  expect(targets(['pxe'])).not.toContain('bin-arm64-efi/snponly.efi')
  expect(targets(['pxe'], 'compiled')).toContain('bin-arm64-efi/snponly.efi')
  expect(targets(['pxe'])).not.toContain('bin/ipxe.lkrn')
})

test('what the script needs is switched on by itself', () => {
  const [bios] = plan({ script: '#!ipxe\nntp a\nimgverify x https://a/b\nset syslog 10.0.0.1\n' }).platforms
  expect(bios?.options).toMatchObject({ ntp: true, imageTrust: true, https: true, syslog: { level: 'info' } })
})
