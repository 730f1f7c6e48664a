import { expect, test } from 'vitest'
import { closeModules, filterAliases, formatModulesDep, moduleName, parseModulesDep, wantedModules } from './modules.ts'

const NET = 'kernel/drivers/net/virtio_net.ko.xz'
const all = parseModulesDep(`kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz
kernel/net/core/failover.ko.xz:
${NET}: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz
kernel/sound/snd.ko.xz:
`)

test('what a module needs comes along, and what nobody wants does not', () => {
  const chosen = closeModules(all, (path) => path === NET)
  expect(chosen.map(moduleName)).toEqual(['net_failover', 'virtio_net', 'failover'])
  expect(formatModulesDep(all, chosen)).toBe(`kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko
kernel/net/core/failover.ko:
`)
})

test('every name in the pruned modules.dep has a line of its own', () => {
  const chosen = closeModules(all, wantedModules('cloud'))
  const pruned = parseModulesDep(formatModulesDep(all, chosen))
  for (const needs of pruned.values()) for (const need of needs) expect(pruned.has(need)).toBe(true)
})

test('a gap in modules.dep is an error', () => {
  expect(() => closeModules(parseModulesDep('a.ko: b.ko\n'), () => true)).toThrow(/names "b.ko"/)
})

test('aliases of the chosen modules stay, dashes and underscores being one', () => {
  const text = '# made by depmod\nalias virtio:d00000001v* virtio_net\nalias pci:v1* snd\nalias xen:vif xen_netfront\nsoftdep a pre: b\n'
  expect(filterAliases(text, [NET, 'kernel/drivers/net/xen-netfront.ko'])).toBe(
    'alias virtio:d00000001v* virtio_net\nalias xen:vif xen_netfront\n',
  )
})

for (const { path, cloud, generic } of [
  { path: 'kernel/drivers/block/virtio_blk.ko', cloud: true, generic: true },
  { path: 'kernel/drivers/net/virtio_net.ko.xz', cloud: true, generic: true },
  { path: 'kernel/fs/ext4/ext4.ko.xz', cloud: true, generic: true },
  { path: 'kernel/arch/x86/crypto/crc32c-intel.ko', cloud: true, generic: true },
  { path: 'kernel/drivers/net/ethernet/realtek/r8169.ko.xz', cloud: false, generic: true },
  { path: 'kernel/drivers/usb/storage/uas.ko.xz', cloud: false, generic: true },
  { path: 'kernel/drivers/ata/ahci.ko.xz', cloud: true, generic: true },
  { path: 'kernel/drivers/gpu/drm/i915/i915.ko.xz', cloud: false, generic: false },
  { path: 'kernel/sound/core/snd.ko.xz', cloud: false, generic: false },
])
  test(`${moduleName(path)}: cloud ${cloud}, generic ${generic}`, () => {
    expect([wantedModules('cloud')(path), wantedModules('generic')(path)]).toEqual([cloud, generic])
  })
