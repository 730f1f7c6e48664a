import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type Board, imageOf } from '../lab/box/boards.ts'
import { bootFile } from '../lab/box/disk.ts'
import type { Home, Wiring } from '../lab/box/home.ts'
import { applianceImage } from '../lab/box/images.ts'
import { bootClient, enrolledBox, withHome } from './image-rig.ts'
import { say } from './rig.ts'

const BOARDS: readonly { board: Board; wiring: Wiring; what: string; limitMs: number }[] = [
  { board: 'bios-ahci', wiring: 'two-cards', what: 'a PC with BIOS and a SATA disk, two cards', limitMs: 240_000 },
  { board: 'uefi-nvme', wiring: 'one-card', what: 'a PC with UEFI and an NVMe disk, one card with a fixed address', limitMs: 300_000 },
  {
    board: 'bios-usb-512',
    wiring: 'beside',
    what: 'a PC with 512 MiB, a USB stick and a USB card, beside another DHCP server',
    limitMs: 300_000,
  },
  { board: 'arm64-uefi', wiring: 'two-cards', what: 'an arm64 machine with UEFI, two cards', limitMs: 420_000 },
  {
    board: 'raspi3b',
    wiring: 'one-card',
    what: 'a Raspberry Pi 3 through U-Boot and GRUB, a USB card with a fixed address',
    limitMs: 600_000,
  },
]

for (const { board, wiring, what, limitMs } of BOARDS)
  test(`${what}: boots the image, enrols through NAT, serves a client that boots from the network`, async () => {
    const { image } = await applianceImage({ board: imageOf(board) })
    await withHome(wiring, async (home) => {
      const box = await enrolledBox(home, { board, image }, limitMs)
      await servesFiles(home)
      const { machine, decision } = await bootClient(home)
      expect(decision).toBe('local-disk') // nobody approved it
      await machine.powerOff()
      await box.cutPower()
      const config = (await bootFile(box.card, 'bridgehead.json')).toString()
      expect(config, 'the spent token is erased from the card').not.toContain('bhe_')
      expect(config.length).toBe(4096)
    })
  })

/** Address by DHCP (or the router's), name service, and a loader by TFTP and by HTTP: the very bytes that the manager sent through NAT. */
async function servesFiles(home: Home): Promise<void> {
  const guest = await home.guest('guest')
  const loaders = await Promise.all(
    ['tftp', 'http'].map(async (protocol) => {
      const path = protocol === 'tftp' ? '' : 'loaders/'
      const { stdout } = await guest.exec([
        'bash',
        '-c',
        `curl -sS --fail --retry 20 --retry-delay 1 --retry-all-errors --max-time 60 ${protocol}://${home.address}/${path}undionly.kpxe | sha256sum`,
      ])
      return stdout.slice(0, 64)
    }),
  )
  expect(loaders[0]).toBe(loaders[1])
  expect(loaders[0]).not.toBe(createHash('sha256').digest('hex')) // of nothing
  say(`a loader came by TFTP and by HTTP, sha256 ${loaders[0]?.slice(0, 12)}`)
}
