import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PI_PARTS } from '@bridgehead/manager/packagers/media/parts/pi.ts'
import type { PartSpec } from '@bridgehead/manager/packagers/media/parts/spec.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bootMedium, createRecorder, type Recorder } from '../lab/boot-medium.ts'
import type { FirmwareKind, Medium } from '../lab/firmware.ts'
import { createLab } from '../lab/lab.ts'
import { ipIn } from '../lab/node.ts'
import { createMediaRig, type MediaRig } from './media-rig.ts'
import { needRight, say } from './rig.ts'

let rig: MediaRig
let recorder: Recorder
let count = 0
beforeAll(async () => {
  rig = createMediaRig()
  recorder = await createRecorder()
})
afterAll(async () => {
  await recorder.close()
  rig.close()
})

const script = () => `#!ipxe
echo The recipe's script runs
:again
dhcp || goto again
imgfetch ${recorder.url}/script-ran?arch=\${buildarch}&platform=\${platform} ||
sleep 60
`

/** The proof is the script's own request at a web server. */
async function runsScript(kind: FirmwareKind, medium: Medium, expected: string, seconds: number): Promise<void> {
  const from = recorder.asked.length
  const done = await bootMedium({
    ...{ kind, medium, seconds, directory: join(rig.directory, `machine${++count}`) },
    what: `the script's request (${expected})`,
    came: () => recorder.asked.slice(from).includes(`/script-ran?${expected}`),
  })
  say(`${kind}, ${medium.kind}: ${done.seconds.toFixed(1)} s from power-on to the script's request`)
}

const MACHINES = [
  { kind: 'seabios', firmware: 'SeaBIOS', expected: 'arch=i386&platform=pcbios', seconds: 60 },
  { kind: 'ovmf', firmware: 'OVMF', expected: 'arch=x86_64&platform=efi', seconds: 120 },
  { kind: 'aavmf', firmware: 'AAVMF (arm64)', expected: 'arch=arm64&platform=efi', seconds: 180 },
] as const
for (const { kind, firmware, expected, seconds } of MACHINES) {
  test(`the ISO boots into the script on ${firmware}`, async () => {
    const manifest = await rig.make(['iso', 'usb'], script())
    await runsScript(kind, { kind: 'cd', file: rig.path(manifest, 'iso') }, expected, seconds)
  })
  test(`the USB stick boots into the script on ${firmware}`, async () => {
    const manifest = await rig.make(['iso', 'usb'], script())
    await runsScript(kind, { kind: 'usb', file: rig.path(manifest, 'usb') }, expected, seconds)
  })
}

/** The DHCP and TFTP server that the set's README describes, at the README's own address, and a web server that says what it was asked. */
async function withPxeServer(task: (lab: { lan: string; asked: string[]; boot: (number: number) => Medium }) => Promise<void>) {
  const manifest = await rig.make(['pxe'], script().replaceAll(recorder.url, 'http://192.168.1.2'))
  const directory = await rig.unpack(manifest, 'pxe')
  const lab = await createLab({ sites: 1, log: createLog({ name: 'lab', level: 'warn' }) })
  try {
    const [site] = lab.sites
    if (!site) throw new Error('the lab has no site')
    const asked: string[] = []
    const tell = "require('http').createServer((q, s) => (console.log(q.url), s.end())).listen(80, '192.168.1.2')"
    const onOutput = (chunk: Buffer) => void asked.push(...chunk.toString().split('\n').filter(Boolean))
    site.appliance.spawn('web server', [process.execPath, '-e', tell], { onOutput })
    const readme = readFileSync(join(directory, 'README.md'), 'utf8')
    const example = /## dnsmasq[\s\S]*?```\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const config = join(rig.directory, 'dnsmasq.conf')
    writeFileSync(config, `${example.replace(/^tftp-root=.*$/m, `tftp-root=${directory}`)}no-ping\n`)
    const switches = [
      '--keep-in-foreground',
      '--user=root',
      '--group=root',
      '--port=0',
      '--interface=eth0',
      '--bind-interfaces',
      '--pid-file=',
    ]
    const argv = ['dnsmasq', `--conf-file=${config}`, ...switches, `--dhcp-leasefile=${config}.leases`, '--log-facility=-', '--log-dhcp']
    site.appliance.spawn('dnsmasq', argv, { logFile: join(lab.directory, 'dnsmasq.log') })
    for (const number of [1, 2, 3])
      await ipIn(site.lan.namespace, [`tuntap add pxe${number} mode tap`, `link set pxe${number} master br0 up`])
    const boot = (number: number): Medium => ({ kind: 'tap', name: `pxe${number}`, mac: `52:54:00:7c:00:0${number}` })
    await task({ lan: site.lan.namespace, asked, boot })
  } finally {
    await lab.close()
  }
}

test('the PXE set, served as its README says, boots into the script on SeaBIOS, OVMF and AAVMF (arm64)', async () => {
  await needRight()
  await withPxeServer(async ({ lan, asked, boot }) => {
    for (const [index, { kind, expected, seconds }] of MACHINES.entries()) {
      const medium = boot(index + 1)
      const done = await bootMedium({
        ...{ kind, medium, seconds, namespace: lan, directory: join(rig.directory, `machine${++count}`) },
        what: `the script's request (${expected})`,
        came: () => asked.includes(`/script-ran?${expected}`),
      })
      say(`${kind}, PXE: ${done.seconds.toFixed(1)} s from power-on to the script's request`)
    }
  })
})

test('the Raspberry Pi card: U-Boot finds it, loads iPXE, and the script runs past its first wait', async () => {
  const text = "#!ipxe\necho The recipe's script runs\nsleep 1\necho It woke up again, on ${buildarch}\nsleep 60\n"
  const manifest = await rig.make(['pi'], text)
  const uBoot = await rig.part(PI_PARTS['pi-u-boot'], 'u-boot-rpi-3.bin')
  const deviceTree = await rig.part(PI_PARTS['pi-device-trees'], 'bcm2837-rpi-3-b.dtb')
  const { serial, seconds } = await bootMedium({
    ...{ kind: 'raspi3b', medium: { kind: 'sd', file: rig.path(manifest, 'pi') }, directory: join(rig.directory, 'pi'), seconds: 90 },
    pi: { uBoot, deviceTree },
    what: "the script's words after its wait",
    came: (log) => log.find(/It woke up again, on arm64/) !== undefined,
  })
  expect(serial.find(/The recipe's script runs/)).toBeDefined()
  say(`raspi3b: ${seconds.toFixed(1)} s from power-on to the script's words`)
})

/** Debian signs it with the key that its shim knows. */
const KERNEL: PartSpec = {
  name: 'lab-kernel',
  package: 'linux-image-cloud-amd64',
  dependency: /^linux-image-\d\S*-cloud-amd64$/,
  architecture: 'amd64',
  components: ['main'],
  suites: [undefined],
  files: { vmlinuz: ['boot/vmlinuz-*'] },
}

/** The set of a script that starts a kernel from `from`, with one byte of `changed` turned around, on firmware that enforces Secure Boot. */
async function bootsSecurely(options: {
  from: Recorder
  changed?: string
  what: string
  pattern: RegExp
  machine?: { kind: FirmwareKind; file: string }
}) {
  const { from, changed, what, pattern, machine = { kind: 'ovmf-secure', file: 'shimx64.efi' } } = options
  const text = `#!ipxe\nkernel ${from.url}/vmlinuz console=ttyS0 || goto refused\nboot\n:refused\necho The kernel was refused\n`
  const manifest = await rig.make(['secure-boot'], text)
  const directory = await rig.unpack(manifest, 'secure-boot', (name) => name.replace('grub-grub.cfg', 'grub/grub.cfg'))
  if (changed !== undefined) flipByte(join(directory, changed))
  const { serial, seconds } = await bootMedium({
    ...{ kind: machine.kind, medium: { kind: 'tftp', directory, file: machine.file }, seconds: 120, what },
    directory: join(rig.directory, `machine${++count}`),
    came: (log) => log.find(pattern) !== undefined,
  })
  say(`${machine.kind}: ${seconds.toFixed(1)} s to ${what}`)
  return serial
}

/** In the middle of the code, where no field of the format lies. */
function flipByte(file: string): void {
  const bytes = readFileSync(file)
  const at = Math.floor(bytes.length / 4)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

test('the Secure Boot set boots a signed kernel by HTTP with Secure Boot enforcing', async () => {
  const from = await createRecorder({ '/vmlinuz': readFileSync(await rig.part(KERNEL, 'vmlinuz')) })
  try {
    await bootsSecurely({ from, what: "the kernel's word that Secure Boot is on", pattern: /[Ss]ecure boot enabled/ })
    expect(from.asked).toEqual(['/vmlinuz'])
  } finally {
    await from.close()
  }
})

test('on arm64 the set comes as far as GRUB and its web server with Secure Boot enforcing', async () => {
  const from = recorder.asked.length
  const machine = { kind: 'aavmf-secure', file: 'shimaa64.efi' } as const
  await bootsSecurely({ from: recorder, machine, what: "the script's words about a missing kernel", pattern: /The kernel was refused/ })
  expect(recorder.asked.slice(from)).toEqual(['/vmlinuz'])
})

test('an unsigned kernel is refused by GRUB, and the script goes on', async () => {
  const bytes = readFileSync(await rig.part(KERNEL, 'vmlinuz'))
  bytes[Math.floor(bytes.length / 2)] = 255 - (bytes[Math.floor(bytes.length / 2)] ?? 0)
  const from = await createRecorder({ '/vmlinuz': bytes })
  try {
    await bootsSecurely({ from, what: "the script's words after the refusal", pattern: /The kernel was refused/ })
  } finally {
    await from.close()
  }
})

for (const { changed, who, pattern, machine } of [
  { changed: 'grubx64.efi', who: 'shim', pattern: /Verification failed|Security Violation/ },
  { changed: 'shimx64.efi', who: 'the firmware', pattern: /Access Denied|Security Violation/ },
  {
    changed: 'shimaa64.efi',
    who: 'the firmware of arm64',
    pattern: /Access Denied|Security Violation/,
    machine: { kind: 'aavmf-secure', file: 'shimaa64.efi' } as const,
  },
])
  test(`${changed} with one byte changed is refused by ${who}`, async () => {
    const from = recorder.asked.length
    await bootsSecurely({ from: recorder, changed, what: `the refusal by ${who}`, pattern, ...(machine && { machine }) })
    expect(recorder.asked.slice(from)).toEqual([])
  })
