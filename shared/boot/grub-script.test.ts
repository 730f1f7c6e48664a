import { expect, test } from 'vitest'
import { grubScript } from './grub-script.ts'

const translated = (...lines: string[]) => grubScript(['#!ipxe', ...lines, ''].join('\n'))
/** The commands of the first function. */
const bodyOf = (script: string) => /function ipxe_start \{\n([\s\S]*?)\n\}/.exec(script)?.[1]?.replace(/^ {2}/gm, '') ?? ''

for (const { line, grub } of [
  { line: 'echo Hello ${mac} "$5"', grub: 'echo "Hello ${net_default_mac} \\"\\$5\\""' },
  { line: 'set base http://10.0.0.1', grub: 'set ipxe_base="http://10.0.0.1"' },
  {
    line: 'kernel http://10.0.0.1:8080/a/vmlinuz initrd=initrd quiet ip=${ip}',
    grub: 'linux "(http,10.0.0.1:8080)/a/vmlinuz" "quiet" "ip=${net_default_ip}"',
  },
  { line: 'kernel --name k --timeout 500 tftp://10.0.0.1/k', grub: 'linux "(tftp,10.0.0.1)/k"' },
  { line: 'initrd --name initrd http://10.0.0.1/i?x=1&y=2', grub: 'set ipxe_initrd="$ipxe_initrd (http,10.0.0.1)/i?x=1&y=2"' },
  { line: 'boot', grub: 'ipxe_boot' },
  { line: 'chain --autofree http://10.0.0.1/x/grub.cfg', grub: 'configfile "(http,10.0.0.1)/x/grub.cfg"' },
  { line: 'chain http://10.0.0.1/x/ipxe.efi?a', grub: 'ipxe_chain "(http,10.0.0.1)/x/ipxe.efi?a"' },
  {
    line: 'chain --replace http://10.0.0.1:8000/boot/start.ipxe',
    grub: 'configfile "(http,10.0.0.1:8000)/boot/grub.cfg?mac=$net_default_mac&arch=$grub_cpu&platform=$grub_platform"',
  },
  { line: 'sleep 5', grub: 'sleep 5' },
  { line: 'poweroff', grub: 'halt' },
  { line: 'iseq ${buildarch} arm64', grub: '[ "${grub_cpu}" = "arm64" ]' },
])
  test(`${line}`, () => {
    expect(bodyOf(translated(line))).toContain(grub)
  })

test('comments, empty lines and dhcp are nothing', () => {
  expect(bodyOf(translated('# a comment', '', 'dhcp', '  # another'))).toBe('ipxe_failed')
})

test('a failure that nothing catches ends the script; one that is caught goes where it says', () => {
  const script = translated('kernel http://10.0.0.1/k || goto failed', 'boot', ':failed', 'reboot')
  expect(bodyOf(script).split('\n').slice(0, 4)).toEqual([
    'if linux "(http,10.0.0.1)/k"; then set ipxe_ok=1; else set ipxe_ok=0; fi',
    'if [ "$ipxe_ok" = 0 ]; then ipxe_at_failed; return; fi',
    'if [ "$ipxe_ok" = 0 ]; then ipxe_failed; fi',
    'if ipxe_boot; then set ipxe_ok=1; else set ipxe_ok=0; fi',
  ])
  expect(script).toContain('function ipxe_at_failed {')
})

test('a variable at the beginning of an URL is put in', () => {
  expect(translated('set base http://10.0.0.1/d', 'kernel ${base}/k')).toContain('linux "(http,10.0.0.1)/d/k"')
})

for (const { lines, says } of [
  { lines: ['kernel https://10.0.0.1/k'], says: 'line 2: "https://10.0.0.1/k": GRUB has no HTTPS' },
  { lines: ['kernel vmlinuz'], says: 'line 2: "vmlinuz": expected a whole URL' },
  { lines: ['echo', 'kernel http://user:secret@10.0.0.1/k'], says: 'line 3' },
  { lines: ['chain http://10.0.0.1/menu.ipxe'], says: 'GRUB cannot run what lies at' },
  { lines: ['menu Choose'], says: 'nothing like iPXE\'s "menu"' },
  { lines: ['goto nowhere'], says: 'no label ":nowhere"' },
  { lines: ['echo ${serial}'], says: 'setting "serial"' },
  { lines: ['set net0/ip 10.0.0.2'], says: 'no setting "net0/ip"' },
  { lines: ['sleep forever'], says: 'number of seconds' },
  { lines: ['echo a \\', 'b'], says: 'on one line' },
])
  test(`${lines.at(-1)}: refused`, () => {
    expect(() => translated(...lines)).toThrow(says)
  })

test('what is no iPXE script is refused', () => {
  expect(() => grubScript('echo hello\n')).toThrow('line 1: expected an iPXE script')
})
