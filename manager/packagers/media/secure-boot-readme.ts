import type { Signature } from './authenticode.ts'

/** What the set's README tells: pure; the same input gives the same text. */
export function secureBootReadme({
  name,
  map,
  signers,
}: {
  name: string
  /** Option 93 (decimal) -> first file. */
  map: Record<string, { name: string; file: string }>
  /** Path -> its signatures. */
  signers: Record<string, readonly Signature[]>
}): string {
  const rows = Object.entries(map).map(([code, one]) => `| ${code} | ${one.name} | \`${one.file}\` |`)
  const signed = Object.entries(signers).flatMap(([path, list]) =>
    list.map(({ signer, issuer }) => `| \`${path}\` | ${signer} | ${issuer} |`),
  )
  const withIpxe = Object.keys(signers).some((path) => path.startsWith('ipxe/'))
  return `# Secure Boot set ${name}

Put all files, with their folders, into the root of a TFTP server. Firmware loads shim, shim loads GRUB from beside itself, GRUB reads
\`grub/grub.cfg\`. From there on everything goes by HTTP.

| option 93 | client | file |
| --- | --- | --- |
${rows.join('\n')}

| file | signed by | whose key comes from |
| --- | --- | --- |
${signed.join('\n')}

- The kernel must be signed by a key that shim or the firmware knows: Debian's kernels are. An initrd needs no signature.
- The HTTP server must answer with \`Content-Length\`, written so: GRUB reads no \`content-length\`, and no chunks.
- GRUB has no HTTPS.
- Keep the set new: firmware and shim refuse loaders with known holes (dbx, SBAT).
${withIpxe ? IPXE : ''}`
}

const IPXE = `
\`ipxe/\` holds the signed iPXE that was uploaded, with the recipe's script beside it as \`autoexec.ipxe\`. Give firmware the path of its shim
where there is one, else of the loader.
`
