/** What should have followed each thing last seen, and where to look. The demo's small version of the diagnosis table. */
const NEXT: Record<string, { next: string; check: string }> = {
  'power on': { next: 'a DHCP DISCOVER', check: 'the serial log shows whether the firmware tried the network' },
  discover: { next: 'our OFFER', check: 'the appliance log says why it stayed silent' },
  offer: { next: 'its REQUEST', check: 'another DHCP server on the LAN, or the offer did not arrive' },
  request: { next: 'our ACK', check: 'the appliance log' },
  ack: { next: 'a loader or script request', check: 'the file name in the ACK and the architecture that it asked for' },
  loader: { next: 'the script', check: 'the serial log: the loader hangs or was refused by the firmware' },
  script: { next: 'the kernel', check: 'the serial log shows an error of iPXE' },
  kernel: { next: 'the initrd', check: 'the serial log; memory too small' },
  initrd: { next: 'the installer', check: 'the serial log: the kernel stopped, or a driver is missing' },
  installer: { next: 'the answers', check: 'the appliance log' },
  answers: { next: 'the image', check: 'the serial log: no disk, or it is too small' },
  image: { next: 'the configuration', check: 'the serial log: unpacking or writing stopped' },
  configure: { next: '"installed"', check: 'the serial log' },
  installed: { next: 'the reboot and its DHCP DISCOVER', check: 'the serial log' },
  reboot: { next: 'a DHCP DISCOVER', check: 'the serial log' },
  'phone-home': { next: 'the status ready', check: 'the appliance log' },
}

/** A sentence for a machine that went silent. `stage` is the last stage seen of it (or `power on`). */
export function silence(stage: string, seconds: number): string {
  const known = NEXT[stage]
  const expected = known ? `${known.next} should have followed; check: ${known.check}` : 'nothing is known to follow'
  return `nothing came for ${Math.round(seconds)} s after "${stage}": ${expected}`
}
