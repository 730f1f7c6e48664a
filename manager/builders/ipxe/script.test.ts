import { expect, test } from 'vitest'
import { IpxeOptions } from './options.ts'
import { checkScript, SCRIPT_BYTES, type ScriptPlace } from './script.ts'

const standard = IpxeOptions.parse({})
const BIOS: ScriptPlace = { firmware: 'bios', architecture: 'x86_64' }
const ARM: ScriptPlace = { firmware: 'uefi', architecture: 'arm64' }
const none = IpxeOptions.parse({ vlan: false, ntp: false, poweroff: false, param: false })

for (const { script, loader = standard, places = [], says } of [
  { script: '#!ipxe\ndhcp\nchain http://10.0.0.1/boot\n', says: [] },
  { script: '#!ipxe\r\ndhcp\r\nboot http://a/b\r\n', says: [] },
  { script: '#!ipxe', says: ['line 1: expected #!ipxe'] },
  { script: '#!/bin/sh\nreboot\n', says: ['line 1: expected #!ipxe, alone on the first line; got "#!/bin/sh"'] },
  { script: '\u{feff}#!ipxe\n', says: ['byte order mark'] },
  { script: '', says: ['expected #!ipxe'] },
  { script: '#!ipxe\n\0', says: ['NUL'] },
  { script: `#!ipxe\n${'#'.repeat(SCRIPT_BYTES)}`, says: ['expected at most 65536'] },
  { script: '#!ipxe\nfrobnicate\n', says: ['line 2: "frobnicate" is no iPXE command'] },
  { script: '#!ipxe\necho a\nntp pool.ntp.org\n', loader: none, says: ['line 3: "ntp" is not in', 'turn on the option "ntp"'] },
  { script: '#!ipxe\nvcreate --tag 5 net0 || poweroff\n', loader: none, says: ['"vcreate"', 'option "vlan"', 'option "poweroff"'] },
  { script: '#!ipxe\nchain \\\n  https://x/\nntp\n', loader: none, says: ['line 2: "chain https://x/" needs HTTPS', 'line 4: "ntp"'] },
  { script: '#!ipxe\nchain https://x/\n', loader: IpxeOptions.parse({ https: true }), says: [] },
  { script: '#!ipxe\nset base HTTPS://x\nkernel ${base}/vmlinuz\n', says: ['line 3: "kernel ${base}/vmlinuz" needs HTTPS'] },
  { script: '#!ipxe\nset mirror https://x\nkernel http://a/k url=${mirror}\n', says: [] },
  { script: '#!ipxe\necho see https://x && prompt https://x\n', says: [] },
  { script: '#!ipxe\n# frobnicate\n  # frobnicate\necho a # && frobnicate\n', says: [] },
  { script: '#!ipxe\n:top\n${what} now\ngoto top\n', says: [] },
  { script: '#!ipxe\n:again dhcp || goto again\ngoto ${next}\n', says: [] },
  { script: '#!ipxe\ngoto nowhere\n', says: ['line 2: "goto nowhere": the script has no line ":nowhere"'] },
  { script: '#!ipxe\nset syslog 10.0.0.1\n', says: ['"set syslog" has no effect', 'option "syslog"'] },
  { script: '#!ipxe\nset net0/syslog:ipv4 10.0.0.1\n', loader: IpxeOptions.parse({ syslog: {} }), says: [] },
  { script: '#!ipxe\nset syslogs log\n', loader: IpxeOptions.parse({ syslog: {} }), says: ['option "syslog.encrypted"'] },
  { script: '#!ipxe\ncpuid --ext 29\n', places: [BIOS], says: [] },
  { script: '#!ipxe\ncpuid --ext 29\n', places: [BIOS, ARM], says: ['"cpuid" does not exist on arm64 UEFI'] },
  { script: '#!ipxe\nstartpxe\n', loader: IpxeOptions.parse({ pxe: true }), places: [ARM], says: ['does not exist on arm64 UEFI'] },
  { script: '#!ipxe\nreboot\n', loader: 'prebuilt-debian' as const, says: [] },
  {
    script: '#!ipxe\npoweroff\n',
    loader: 'prebuilt-debian' as const,
    says: ['not in Debian\'s prebuilt loader; turn on the option "poweroff"'],
  },
  { script: '#!ipxe\niflinkwait\n', loader: 'prebuilt-debian' as const, says: ['it needs a compiled one'] },
  {
    script: '#!ipxe\npoweroff || chain https://a/\n',
    loader: { prebuilt: 'debian' as const, version: '1.21.1+git20250501.dad20602+dfsg-1' },
    says: [],
  },
])
  test(`${JSON.stringify(script.slice(0, 60))} ${says.length === 0 ? 'is good' : `is refused: ${says[0]}`}`, () => {
    const problems = checkScript(script, loader, places)
    const text = problems.map((problem) => problem.message).join('\n')
    for (const part of says) expect(text).toContain(part)
    if (says.length === 0) expect(problems).toEqual([])
  })

test('a problem names line, command and option', () => {
  expect(checkScript('#!ipxe\n\nntp a\n', none)).toMatchObject([{ line: 3, command: 'ntp', option: 'ntp' }])
})
