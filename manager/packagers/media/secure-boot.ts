import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { CpuArch } from '@bridgehead/shared/model/state.ts'
import { type Signature, SignatureError, signaturesOf } from './authenticode.ts'
import { MediaError } from './error.ts'
import { grubConfig } from './grub-config.ts'
import type { Maker, MediaInputs } from './maker.ts'
import { secureBootReadme } from './secure-boot-readme.ts'
import { tarGz } from './tar-gz.ts'

/** Files of each architecture; shim asks for GRUB by that very name, and GRUB for `grub/grub.cfg` (its prefix is /grub). */
const CHAINS: Record<CpuArch, { codes: readonly number[]; name: string; shim: string; grub: string; efi: string }> = {
  x86_64: { codes: [0x07, 0x09, 0x10], name: 'UEFI x86_64', shim: 'shimx64.efi', grub: 'grubx64.efi', efi: 'x64' },
  arm64: { codes: [0x0b, 0x13], name: 'UEFI arm64', shim: 'shimaa64.efi', grub: 'grubaa64.efi', efi: 'aa64' },
}
const CONFIG = 'grub/grub.cfg'
const text = (content: string) => new TextEncoder().encode(content)

/**
 * What machines with Secure Boot load by network: Debian's shim (signed by Microsoft) and GRUB (signed by Debian) with a `grub.cfg` that
 * does the recipe's work over HTTP; and, when the recipe names one, an iPXE that its upstream signed. Each loader's signature is checked.
 * Throws MediaError naming the field, GrubScriptError, PartError.
 */
export const makeSecureBoot: Maker = async (inputs) => {
  const { name, recipe, target, part, signal } = inputs
  const files: Record<string, Uint8Array> = { [CONFIG]: text(grubConfig(target)) }
  const signers: Record<string, Signature[]> = {}
  for (const architecture of recipe.architectures) {
    const { shim, grub } = CHAINS[architecture]
    const parts = await Promise.all([part(`shim-${architecture}`), part(`grub-signed-${architecture}`)])
    for (const [index, file] of [shim, grub].entries()) {
      const bytes = await readFile(parts[index]?.path(file) ?? '')
      files[file] = bytes
      signers[file] = signaturesOf(bytes, architecture)
    }
  }
  for (const one of await signedIpxe(inputs)) {
    files[one.path] = one.bytes
    files['ipxe/autoexec.ipxe'] = text(inputs.script)
    signers[one.path] = one.signatures
  }
  const map = archMapOf(recipe.architectures)
  files['arch-map.json'] = text(`${JSON.stringify(map, null, 2)}\n`)
  files['README.md'] = text(secureBootReadme({ name, map, signers }))
  const folder = `${name}-secure-boot`
  const packed = await tarGz(Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${folder}/${path}`, bytes])))
  signal.throwIfAborted()
  const single = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))
  return [{ name: `${folder}.tar.gz`, bytes: packed }, ...single.map(([path, bytes]) => ({ name: path.replaceAll('/', '-'), bytes }))]
}

/** Option 93 (decimal) -> the file that firmware must be given. */
function archMapOf(architectures: readonly CpuArch[]): Record<string, { name: string; file: string }> {
  return Object.fromEntries(
    architectures.flatMap((one) => CHAINS[one].codes.map((code) => [String(code), { name: CHAINS[one].name, file: CHAINS[one].shim }])),
  )
}

/** The uploaded iPXE, whose signatures fit. */
async function signedIpxe({
  recipe,
  bucket,
}: Pick<MediaInputs, 'recipe' | 'bucket'>): Promise<{ path: string; bytes: Uint8Array; signatures: Signature[] }[]> {
  const found: { path: string; bytes: Uint8Array; signatures: Signature[] }[] = []
  for (const architecture of recipe.architectures) {
    const { efi } = CHAINS[architecture]
    for (const [role, file] of [
      ['shim', `shim${efi}.efi`],
      ['loader', architecture === 'x86_64' ? 'ipxe.efi' : 'ipxe-arm64.efi'],
    ] as const) {
      const sha256 = recipe.signedIpxe?.[architecture]?.[role]
      if (sha256 === undefined) continue
      const field = ['signedIpxe', architecture, role]
      if (!(await bucket.head(sha256))) throw new MediaError(`${field.join('.')}: nothing with this sha256 was uploaded`, { field })
      const bytes = await buffer(await bucket.get(sha256))
      try {
        found.push({ path: `ipxe/${file}`, bytes, signatures: signaturesOf(bytes, architecture) })
      } catch (cause) {
        if (!(cause instanceof SignatureError)) throw cause
        throw new MediaError(`${field.join('.')}: ${cause.message}`, { field, cause })
      }
    }
  }
  return found
}
