import { readFile } from 'node:fs/promises'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import { MediaError } from './error.ts'
import type { MadeFile, Maker } from './maker.ts'
import { pxeReadme } from './pxe-readme.ts'
import { tarGz } from './tar-gz.ts'

/** Option 93 of PXE clients (RFC 4578 §2.1; IANA registry "Processor Architecture Types") -> loaders that fit, best first. */
const ARCHITECTURES: readonly { codes: readonly number[]; name: string; targets: readonly IpxeTarget[] }[] = [
  { codes: [0x00], name: 'BIOS x86', targets: ['bin/undionly.kpxe'] },
  { codes: [0x07, 0x09], name: 'UEFI x86_64', targets: ['bin-x86_64-efi/snponly.efi', 'bin-x86_64-efi/ipxe.efi'] },
  { codes: [0x10], name: 'UEFI x86_64 by HTTP', targets: ['bin-x86_64-efi/snponly.efi', 'bin-x86_64-efi/ipxe.efi'] },
  { codes: [0x0b], name: 'UEFI arm64', targets: ['bin-arm64-efi/snponly.efi', 'bin-arm64-efi/ipxe.efi'] },
  { codes: [0x13], name: 'UEFI arm64 by HTTP', targets: ['bin-arm64-efi/snponly.efi', 'bin-arm64-efi/ipxe.efi'] },
]

/** What each loader is called in the set. */
export const FILE_NAMES: Record<IpxeTarget, string> = {
  'bin/undionly.kpxe': 'undionly.kpxe',
  'bin/ipxe.pxe': 'ipxe.pxe',
  'bin/ipxe.lkrn': 'ipxe.lkrn',
  'bin-x86_64-efi/snponly.efi': 'snponly-x86_64.efi',
  'bin-x86_64-efi/ipxe.efi': 'ipxe-x86_64.efi',
  'bin-arm64-efi/snponly.efi': 'snponly-arm64.efi',
  'bin-arm64-efi/ipxe.efi': 'ipxe-arm64.efi',
}

/** Option 93 (decimal) -> file, for the loaders that are there. */
export function archMap(loaders: ReadonlyMap<IpxeTarget, unknown>): Record<string, { name: string; file: string }> {
  return Object.fromEntries(
    ARCHITECTURES.flatMap(({ codes, name, targets }) => {
      const target = targets.find((one) => loaders.has(one))
      return target === undefined ? [] : codes.map((code) => [String(code), { name, file: FILE_NAMES[target] }])
    }),
  )
}

const text = (content: string) => new TextEncoder().encode(content)

/**
 * Everything that a TFTP or HTTP server needs to boot machines: all loaders, the script, the map from option 93 to file, and a README
 * with the DHCP server's half. As single files, and all of them as one `.tar.gz`, which comes first.
 */
export const makePxe: Maker = async ({ name, loaders, script, target, signal }) => {
  if (loaders.size === 0) throw new MediaError('a PXE set needs a loader for BIOS or UEFI', { field: ['firmware'] })
  const wanted = [...loaders].filter(([one]) => one !== 'bin/ipxe.lkrn') // that one is for disks
  const embedded = wanted.every(([, loader]) => loader.embedded)
  const map = archMap(loaders)
  const files: MadeFile[] = [
    ...wanted.map(([one, { ref }]) => ({ name: FILE_NAMES[one], ref })),
    ...(embedded ? [] : [{ name: 'autoexec.ipxe', bytes: text(script) }]),
    { name: 'arch-map.json', bytes: text(`${JSON.stringify(map, null, 2)}\n`) },
    { name: 'README.md', bytes: text(pxeReadme({ name, map, embedded, target })) },
  ]
  const paths = new Map(wanted.map(([one, { path }]) => [FILE_NAMES[one], path]))
  const contents = files.map(async (file) => {
    const bytes = 'bytes' in file ? file.bytes : await readFile(paths.get(file.name) ?? '')
    return [`${name}-pxe/${file.name}`, bytes] as const
  })
  const packed = await tarGz(Object.fromEntries(await Promise.all(contents)))
  signal.throwIfAborted()
  return [{ name: `${name}-pxe.tar.gz`, bytes: packed }, ...files.sort((a, b) => (a.name < b.name ? -1 : 1))]
}
