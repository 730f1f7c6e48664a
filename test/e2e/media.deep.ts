import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PI_PARTS } from '@bridgehead/manager/packagers/media/parts/pi.ts'
import type { PartSpec } from '@bridgehead/manager/packagers/media/parts/spec.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bootMedium, createRecorder, type Recorder } from '../lab/boot-medium.ts'
import type { FirmwareKind, Medium } from '../lab/firmware.ts'
import { createMediaRig, type MediaRig } from './media-rig.ts'
import { say } from './rig.ts'

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

for (const { kind, firmware, expected, seconds } of [
  { kind: 'seabios', firmware: 'SeaBIOS', expected: 'arch=i386&platform=pcbios', seconds: 60 },
  { kind: 'ovmf', firmware: 'OVMF', expected: 'arch=x86_64&platform=efi', seconds: 120 },
  { kind: 'aavmf', firmware: 'AAVMF (arm64)', expected: 'arch=arm64&platform=efi', seconds: 180 },
] as const) {
  test(`the ISO boots into the script on ${firmware}`, async () => {
    const manifest = await rig.make(['iso', 'usb'], script())
    await runsScript(kind, { kind: 'cd', file: rig.path(manifest, 'iso') }, expected, seconds)
  })
  test(`the USB stick boots into the script on ${firmware}`, async () => {
    const manifest = await rig.make(['iso', 'usb'], script())
    await runsScript(kind, { kind: 'usb', file: rig.path(manifest, 'usb') }, expected, seconds)
  })
}

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
async function bootsSecurely({ from, changed, what, pattern }: { from: Recorder; changed?: string; what: string; pattern: RegExp }) {
  const text = `#!ipxe\nkernel ${from.url}/vmlinuz console=ttyS0 || goto refused\nboot\n:refused\necho The kernel was refused\n`
  const manifest = await rig.make(['secure-boot'], text)
  const directory = await rig.unpack(manifest, 'secure-boot', (name) => name.replace('grub-grub.cfg', 'grub/grub.cfg'))
  if (changed !== undefined) flipByte(join(directory, changed))
  const { serial, seconds } = await bootMedium({
    ...{ kind: 'ovmf-secure', medium: { kind: 'tftp', directory, file: 'shimx64.efi' }, seconds: 120, what },
    directory: join(rig.directory, `machine${++count}`),
    came: (log) => log.find(pattern) !== undefined,
  })
  say(`ovmf-secure: ${seconds.toFixed(1)} s to ${what}`)
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

for (const { changed, who, pattern } of [
  { changed: 'grubx64.efi', who: 'shim', pattern: /Verification failed|Security Violation/ },
  { changed: 'shimx64.efi', who: 'the firmware', pattern: /Access Denied|Security Violation/ },
])
  test(`${changed} with one byte changed is refused by ${who}`, async () => {
    const from = recorder.asked.length
    await bootsSecurely({ from: recorder, changed, what: `the refusal by ${who}`, pattern })
    expect(recorder.asked.slice(from)).toEqual([])
  })
