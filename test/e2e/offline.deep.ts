import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import { importDefaultLoaders } from '@bridgehead/manager/packagers/loaders/default-loaders.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { beforeAll, expect, test } from 'vitest'
import { createAppliance } from '../lab/appliance-process.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { saveLogs } from '../lab/logs.ts'
import { plugIn } from '../lab/machines.ts'
import { lastLines } from '../lab/manager-process.ts'
import { createOfflineManager } from '../lab/offline.ts'
import { LAN } from '../lab/site.ts'
import { siteStore } from '../lab/site-store.ts'
import type { Target } from '../lab/stack.ts'
import { waitFor } from '../lab/wait.ts'
import { createRig, type Rig, say } from './rig.ts'

const log = createLog({ name: 'lab', level: 'warn' })
const SITE_LAN = {
  ...{ name: 'lan', subnet: LAN.subnet, address: LAN.appliance, mode: 'serve' as const, router: LAN.router },
  ranges: [{ from: LAN.from, to: LAN.to }],
}

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})

for (const firmware of ['bios', 'uefi'] as const)
  test(`at a site that was never connected, a bare ${firmware} machine is installed from an offline bundle alone`, async () => {
    const lab = await createLab({ sites: 1, log })
    try {
      await installFromBundle(lab, firmware)
    } catch (error) {
      const logs = saveLogs(lab.directory)
      throw error instanceof Error ? new Error(`${error.message}\nlogs: ${logs}`, { cause: error }) : error
    } finally {
      await lab.close()
    }
  })

async function installFromBundle(lab: Lab, firmware: 'bios' | 'uefi'): Promise<void> {
  const [place] = lab.sites
  if (!place) throw new Error('the lab has no site')
  await place.router.exec(['ip', 'link', 'set', 'wan', 'down']) // and no manager runs anywhere
  const { main } = await buildAppliance({ outdir: join(lab.directory, 'appliance'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })
  const appliance = createAppliance(lab, { node: place.appliance, index: place.index, bundle: main, config: {} })

  const bundle = await packedBundle(lab)
  const began = Date.now()
  const take = [process.execPath, main, 'import', bundle.file, '--data', appliance.data, '--trust', bundle.order.fingerprint]
  const imported = await place.appliance.exec(take, { timeoutMs: 120_000 })
  say(`bundle of ${(statSync(bundle.file).size / 1e6).toFixed(0)} MB: imported in ${formatMs(Date.now() - began)}`)
  expect(imported.stdout).toContain('takes it in when it starts')
  appliance.start()
  await waitFor('the appliance to run', () => (lastLines(appliance.logFile, 50).includes('appliance.started') ? true : undefined))

  const store = siteStore(appliance.data)
  const machine = await plugIn({ lab }, { lab: place }, { firmware, accelerator: rig.speed })
  const since = await machine.powerOn()
  const details = () =>
    `the serial port's last lines:\n${machine.serial.last(10)}\nthe appliance's last lines:\n${lastLines(appliance.logFile, 6)}`
  const host = await waitFor(
    'the machine to be ready at its site',
    () => {
      const known = store.hostByMac(machine.mac)
      if (known?.status === 'failed') throw new Error(`the installation failed; ${details()}`)
      return known?.status === 'ready' ? known : undefined
    },
    { ms: 900_000, everyMs: 1000, details },
  )
  say(`${firmware}, no manager ever: power-on to ready ${formatMs(Date.now() - since)}`)
  const banner = await place.appliance.exec(['bash', '-c', `exec 3<>/dev/tcp/${host.ip}/22; head -n 1 <&3`], { timeoutMs: 20_000 })
  expect(banner.stdout).toMatch(/^SSH-2\.0-OpenSSH/)
  const told = store.factIds().length
  expect(told).toBeGreaterThan(20)
  say(`${told} facts wait for an uplink`)
}

/** The host image, the installer and the loaders, for a site that is known to nobody but the bundle. */
async function packedBundle(lab: Lab) {
  const manager = createOfflineManager(join(lab.directory, 'bucket'))
  const { target } = rig.images
  const take = async <R extends { sha256: string; name: string }>({ sha256, name }: R) =>
    manager.put(createReadStream(join(rig.images.bucket, 'objects', sha256.slice(0, 2), sha256)), name)
  const own: Target = { ...target, kernel: await take(target.kernel), initrd: await take(target.initrd) }
  if (target.image) own.image = await take(target.image)
  return manager.bundle({ revision: 1, lan: SITE_LAN, target: own, loaders: await importDefaultLoaders({ bucket: manager.bucket, log }) })
}
