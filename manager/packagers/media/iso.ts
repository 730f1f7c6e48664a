import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { efiFiles, sizesOf } from './efi-files.ts'
import { MediaError } from './error.ts'
import { MEDIA_TIME, roomFor, writeFat } from './fat.ts'
import type { Maker, MediaInputs } from './maker.ts'

const MIB = 1_048_576
/** 2020-01-01 00:00:00.00, as xorriso writes it (ECMA-119 §8.4.26.1). */
const ISO_TIME = '2020010100000000'
const EFI_IMAGE = 'boot/efi.img'

/**
 * One ISO for CDs, virtual media and, written to it byte by byte, USB sticks. BIOS: isolinux starts iPXE; UEFI: a FAT image with a loader
 * for each architecture (El Torito), which is a GPT partition too. Throws ExecaError with xorriso's last lines.
 */
export const makeIso: Maker = async (inputs) => {
  const { name, workDirectory, signal, uuid } = inputs
  const efi = efiFiles(inputs)
  const bios = await biosFiles(inputs)
  const grafts = { ...bios?.files }
  if (Object.keys(efi).length > 0) {
    const image = join(workDirectory, 'efi.img')
    const bytes = roomFor(await sizesOf(efi), MIB)
    const id = uuid('iso-efi').slice(0, 8)
    const stage = join(workDirectory, 'efi')
    await writeFat({ image, offset: 0, bytes, type: 12, label: 'IPXE', id, files: efi, stage, signal })
    grafts[EFI_IMAGE] = image
  }
  if (Object.keys(grafts).length === 0) throw new MediaError('an ISO needs a loader for BIOS or UEFI', { field: ['firmware'] })
  if ([...inputs.loaders.values()].some(({ embedded }) => !embedded)) {
    const script = join(workDirectory, 'autoexec.ipxe')
    await writeFile(script, inputs.script)
    grafts['autoexec.ipxe'] = script
  }

  const path = join(workDirectory, `${name}.iso`)
  const biosBoot = ['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table']
  const efiBoot = ['-e', EFI_IMAGE, '-no-emul-boot']
  const hasEfi = grafts[EFI_IMAGE] !== undefined
  const boot = [
    ...(bios ? biosBoot : []),
    ...(bios && hasEfi ? ['-eltorito-alt-boot'] : []),
    ...(hasEfi ? efiBoot : []),
    ...(bios ? ['-isohybrid-mbr', bios.mbr, ...(hasEfi ? ['-isohybrid-gpt-basdat'] : [])] : ['-isohybrid-gpt-basdat']),
  ]
  const fixed = [`--modification-date=${ISO_TIME}`, '--set_all_file_dates', ISO_TIME, '--gpt_disk_guid', uuid('iso-disk')]
  const sorted = Object.entries(grafts).sort(([a], [b]) => (a < b ? -1 : 1))
  const files = sorted.map(([to, from]) => `${to}=${from.replaceAll('=', '\\=')}`)
  await execa('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-V', 'BRIDGEHEAD', ...fixed, ...boot, '-o', path, '-graft-points', ...files], {
    stdin: 'ignore',
    cancelSignal: signal,
    env: { SOURCE_DATE_EPOCH: String(MEDIA_TIME), TZ: 'UTC', LC_ALL: 'C' },
  })
  return [{ name: `${name}.iso`, path }]
}

/** Undefined when the recipe wants no BIOS. */
async function biosFiles({ loaders, part, recipe, workDirectory }: MediaInputs) {
  const loader = loaders.get('bin/ipxe.lkrn')
  if (!loader) return undefined
  const [isolinux, syslinux] = await Promise.all([part('isolinux'), part('syslinux')])
  const config = join(workDirectory, 'isolinux.cfg')
  await mkdir(workDirectory, { recursive: true })
  await writeFile(config, isolinuxConfig({ script: !loader.embedded, serial: recipe.console?.serial }))
  const files: Record<string, string> = {
    'isolinux/isolinux.bin': isolinux.path('isolinux.bin'),
    'isolinux/ldlinux.c32': syslinux.path('ldlinux.c32'),
    'isolinux/isolinux.cfg': config,
    'isolinux/ipxe.krn': loader.path,
  }
  return { files, mbr: isolinux.path('isohdpfx.bin') }
}

const PORTS = ['COM1', 'COM2', 'COM3', 'COM4']

/** The script is handed over as an initrd. The loader's name ends in .krn so that isolinux takes it for a Linux kernel. */
function isolinuxConfig({ script, serial }: { script: boolean; serial: { port: string; speed: number } | undefined }): string {
  return [
    ...(serial ? [`SERIAL ${PORTS.indexOf(serial.port)} ${serial.speed}`] : []),
    'DEFAULT ipxe',
    'PROMPT 0',
    'LABEL ipxe',
    '  KERNEL ipxe.krn',
    ...(script ? ['  INITRD /autoexec.ipxe'] : []),
    '',
  ].join('\n')
}
