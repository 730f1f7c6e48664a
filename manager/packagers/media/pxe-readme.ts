import type { MediaTarget } from './recipe.ts'

/** The README of a PXE set: what is in it, and what the DHCP server must say. Pure; the same input gives the same text. */
export function pxeReadme({
  name,
  map,
  embedded,
  target,
}: {
  name: string
  /** Option 93 (decimal) -> file. */
  map: Record<string, { name: string; file: string }>
  /** Every loader has the script inside. */
  embedded: boolean
  target: MediaTarget
}): string {
  const rows = Object.entries(map).map(([code, one]) => `| ${code} | ${one.name} | \`${one.file}\` |`)
  const goal =
    target.kind === 'script' ? 'runs the script of the recipe' : `boots from ${target.kind === 'site' ? `site ${target.name}` : target.url}`
  return `# PXE set ${name}

Put all files into one directory of a TFTP server (and of an HTTP server, for UEFI HTTP boot). Each machine ${goal}.

| option 93 | client | file |
| --- | --- | --- |
${rows.join('\n')}

The same as JSON: \`arch-map.json\` (RFC 4578 section 2.1; keys are decimal). \`ipxe.pxe\` and \`ipxe-*.efi\` have network drivers of their own: take them
where the small loader finds no network card.

${embedded ? EMBEDDED : SCRIPT_FILE}

In the examples the server is 192.168.1.2.

## dnsmasq

Beside another DHCP server use \`dhcp-range=192.168.1.0,proxy\` in place of the range.

\`\`\`
dhcp-range=192.168.1.100,192.168.1.200,12h
enable-tftp
tftp-root=/srv/tftp/${name}-pxe
${dnsmasq(map, embedded)}
\`\`\`

## ISC dhcpd

\`\`\`
next-server 192.168.1.2;
${iscDhcpd(map, embedded)}
\`\`\`

## Kea

\`\`\`json
${JSON.stringify({ 'client-classes': kea(map, embedded) }, null, 2)}
\`\`\`
`
}

const EMBEDDED = 'The script is inside every loader: nothing but the loader is asked of the DHCP server.'
const SCRIPT_FILE = `The script is \`autoexec.ipxe\`. UEFI loaders find it beside themselves. \`undionly.kpxe\` (BIOS) does not look for it: iPXE asks DHCP again, with
option 175 and user class \`iPXE\`, and must then be told \`autoexec.ipxe\`; told the loader again, it would load itself in a circle.`

type ArchMap = Record<string, { name: string; file: string }>

const isHttp = ({ name }: { name: string }) => name.endsWith('by HTTP')
const url = (file: string) => `http://192.168.1.2/${file}`

function dnsmasq(map: ArchMap, embedded: boolean): string {
  return [
    ...(embedded ? [] : ['dhcp-match=set:ipxe,175']),
    ...Object.entries(map).flatMap(([code, one]) => {
      const tag = `arch${code}`
      const not = embedded ? '' : ',tag:!ipxe'
      const lines = [`dhcp-match=set:${tag},option:client-arch,${code}`]
      if (!isHttp(one)) return [...lines, `dhcp-boot=tag:${tag}${not},${one.file}`]
      return [...lines, `dhcp-option-force=tag:${tag},60,HTTPClient`, `dhcp-boot=tag:${tag}${not},"${url(one.file)}"`]
    }),
    ...(embedded ? [] : ['dhcp-boot=tag:ipxe,autoexec.ipxe']),
  ].join('\n')
}

function iscDhcpd(map: ArchMap, embedded: boolean): string {
  const hex = (code: string) => `00:${Number(code).toString(16).padStart(2, '0')}`
  const branches = Object.entries(map).map(([code, one]) => {
    const http = isHttp(one) ? ' option vendor-class-identifier "HTTPClient";' : ''
    return `if option client-architecture = ${hex(code)} {${http} filename "${isHttp(one) ? url(one.file) : one.file}"; }`
  })
  const first = embedded ? [] : ['if exists ipxe-encap { filename "autoexec.ipxe"; }']
  const declarations = ['option client-architecture code 93 = string;', ...(embedded ? [] : ['option ipxe-encap code 175 = string;'])]
  return [...declarations, [...first, ...branches].join('\nelse ')].join('\n')
}

function kea(map: ArchMap, embedded: boolean): object[] {
  const first = embedded
    ? []
    : [{ name: 'ipxe', test: 'option[175].exists', 'next-server': '192.168.1.2', 'boot-file-name': 'autoexec.ipxe' }]
  const not = embedded ? '' : " and not member('ipxe')"
  return [
    ...first,
    ...Object.entries(map).map(([code, one]) => ({
      name: `arch${code}`,
      test: `option[93].hex == 0x${Number(code).toString(16).padStart(4, '0')}${not}`,
      'next-server': '192.168.1.2',
      'boot-file-name': isHttp(one) ? url(one.file) : one.file,
      ...(isHttp(one) ? { 'option-data': [{ name: 'vendor-class-identifier', data: 'HTTPClient', 'always-send': true }] } : {}),
    })),
  ]
}
