import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BOARD_SPECS, type Board } from '@bridgehead/image/boards.ts'
import { kernelParameters } from '@bridgehead/image/cmdline.ts'
import { encodeConfigFile } from '@bridgehead/image/config-file.ts'
import { BOOT_LABEL, regionOf } from '@bridgehead/image/layout.ts'
import { formatPlaces, PLACES_BYTES, placeIn } from '@bridgehead/image/places.ts'
import { encodeGrubEnv, FRESH_MARKS, withMarks } from '@bridgehead/shared/boot/slots.ts'
import { CONFIG_BYTES, CONFIG_MAGIC } from '@bridgehead/shared/model/appliance-image.ts'
import { type FatFiles, writeFat } from '../media/fat.ts'
import type { System } from './system.ts'
import type { Tools } from './tools.ts'

const FOLDER = fileURLToPath(new URL('../../../image/boot/', import.meta.url))
/** What grub.cfg uses, and what it needs to read its systems. */
const MODULES =
  'part_gpt part_msdos fat squash4 xzio gzio normal configfile linux echo test true eval regexp loadenv probe sleep reboot read minicmd'.split(
    ' ',
  )
const PLATFORM_MODULES = {
  'i386-pc': ['biosdisk', 'serial', 'terminal', 'all_video'],
  'x86_64-efi': ['all_video'],
  'arm64-efi': ['all_video'],
} as const

/** Runs grub-mkimage for each of the board's platforms. Paths by the name that each file has on the boot partition. */
export async function makeLoaders(board: Board, { system, tools, work }: { system: System; tools: Tools; work: string }) {
  const boot = regionOf(board, 'boot').number
  const made = new Map<string, string>()
  for (const { platform, file } of BOARD_SPECS[board].grub) {
    const output = join(work, platform)
    const directory = join(system.directory, 'boot/usr/lib/grub', platform)
    const modules = [...MODULES, ...PLATFORM_MODULES[platform]]
    await tools.run('grub-mkimage', ['-O', platform, '-d', directory, '-o', output, '-p', `(,gpt${boot})/grub`, ...modules])
    made.set(file, output)
  }
  return made
}

export interface BootPartitionInputs {
  board: Board
  /** Image of the whole disk; the partition is written at its place. */
  image: string
  files: FatFiles
  /** FAT serial number, 8 hexadecimal digits. */
  id: string
  /** Directory of mkfs.vfat, mmd and mcopy. */
  programs: string
  work: string
  signal: AbortSignal
}

/**
 * Writes the FAT partition with its loaders, grub.cfg, the GRUB environment and an empty bridgehead.json. The last two are later rewritten in
 * place, so each must lie in one piece; where, is written to `grub/places`. Returns bridgehead.json's offset in the image.
 */
export async function writeBootPartition({ board, image, files, id, programs, work, signal }: BootPartitionInputs): Promise<number> {
  const { offset, bytes } = regionOf(board, 'boot')
  const text = new TextEncoder()
  const grub = (await readFile(join(FOLDER, 'grub.cfg'), 'utf8')).replaceAll('@CMDLINE@', kernelParameters(BOARD_SPECS[board]))
  const env = encodeGrubEnv(withMarks(new Map(), FRESH_MARKS))
  const config = encodeConfigFile()
  const places = formatPlaces({})
  const all: FatFiles = {
    ...files,
    'bridgehead.json': config,
    'grub/grub.cfg': text.encode(grub),
    'grub/grubenv': env,
    'grub/places': places,
  }
  const stage = join(work, 'boot')
  await mkdir(stage, { recursive: true })
  await writeFat({ image, offset, bytes, type: 32, label: BOOT_LABEL, id, files: all, stage, signal, programs })

  const file = await open(image, 'r+')
  try {
    const partition = new Uint8Array(bytes)
    await file.read(partition, 0, bytes, offset)
    const at = { env: placeIn(partition, env, 'grubenv'), config: placeIn(partition, config, 'bridgehead.json') }
    await file.write(formatPlaces(at), 0, PLACES_BYTES, offset + placeIn(partition, places, 'grub/places'))
    const magic = Buffer.from(partition.buffer, at.config, CONFIG_BYTES).toString('latin1', 0, CONFIG_MAGIC.length)
    if (magic !== CONFIG_MAGIC) throw new RangeError(`bridgehead.json begins with "${magic}"`)
    return offset + at.config
  } finally {
    await file.close()
  }
}
