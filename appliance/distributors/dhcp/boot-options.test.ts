import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import { type Ipv4, ipv4ToNumber, type Mac } from '@bridgehead/shared/model/address.ts'
import type { DhcpPacket } from '@bridgehead/shared/wire/dhcp.ts'
import { readText } from '@bridgehead/shared/wire/dhcp-options.ts'
import { describe, expect, test } from 'vitest'
import { type BootFields, bootServerFields, proxyFields, serveFields } from './boot-options.ts'

const SERVER = '10.0.0.1' as Ipv4
const URL = 'http://10.0.0.1/boot/start.ipxe'
const client = (more: Partial<BootClient>): BootClient => ({
  mac: '02:00:00:00:00:01' as Mac,
  platform: 'bios-x86',
  stage: 'firmware',
  http: false,
  ...more,
})
const load = (file: string): BootAdvice => ({ kind: 'file', file, server: SERVER, reasons: [] })
const SILENT: BootAdvice = { kind: 'silent', reasons: [] }
const request: DhcpPacket = {
  op: 1,
  htype: 1,
  hops: 0,
  xid: 1,
  secs: 0,
  flags: 0,
  ciaddr: 0,
  yiaddr: 0,
  siaddr: 0,
  giaddr: 0,
  chaddr: Uint8Array.of(2, 0, 0, 0, 0, 1),
  sname: '',
  file: '',
  options: new Map([[97, new Uint8Array(17).fill(7, 1)]]),
}

/** Options as text, for reading: `60=PXEClient`. Binary ones in hexadecimal digits. */
function shown(fields: BootFields | undefined) {
  if (fields === undefined) return undefined
  const options = fields.options.map(([code, value]) => {
    const text = readText(value)
    return `${code}=${/^[\x20-\x7e]+$/.test(text) ? text : Buffer.from(value).toString('hex')}`
  })
  return { siaddr: fields.siaddr, file: fields.file, options: options.sort() }
}
const siaddr = ipv4ToNumber(SERVER)
const UUID = `97=00${'07'.repeat(16)}`
const LONG = `http://10.0.0.1/${'x'.repeat(130)}`

describe('beside a lease', () => {
  for (const { what, who, advice, is } of [
    {
      what: 'BIOS firmware gets a TFTP file in the header and in 67, and the server in 66',
      who: client({}),
      advice: load('undionly.kpxe'),
      is: { siaddr, file: 'undionly.kpxe', options: ['66=10.0.0.1', '67=undionly.kpxe'] },
    },
    {
      what: 'iPXE gets a URL, and need not wait for proxyDHCP (175.176)',
      who: client({ stage: 'ipxe' }),
      advice: load(URL),
      is: { siaddr, file: URL, options: ['175=b00101', `67=${URL}`] },
    },
    {
      what: 'a URL longer than the header field goes into 67 alone',
      who: client({ stage: 'ipxe' }),
      advice: load(LONG),
      is: { siaddr, file: '', options: ['175=b00101', `67=${LONG}`] },
    },
    {
      what: 'UEFI HTTP boot gets its class back and the URL in 67 alone',
      who: client({ platform: 'uefi-x86_64', http: true }),
      advice: load(URL),
      is: { siaddr, file: '', options: ['60=HTTPClient', `67=${URL}`] },
    },
    { what: 'nothing to boot: nothing said', who: client({}), advice: SILENT, is: { siaddr: 0, file: '', options: [] } },
    {
      what: 'nothing to boot for iPXE: it still need not wait',
      who: client({ stage: 'ipxe' }),
      advice: SILENT,
      is: { siaddr: 0, file: '', options: ['175=b00101'] },
    },
  ])
    test(what, () => expect(shown(serveFields(who, advice))).toEqual(is))
})

describe('as a proxy', () => {
  for (const { what, who, advice, is } of [
    {
      what: 'BIOS firmware is told to take the file from this offer (43.6 = 8)',
      who: client({}),
      advice: load('undionly.kpxe'),
      is: { siaddr, file: 'undionly.kpxe', options: ['43=060108ff', '60=PXEClient', UUID] },
    },
    {
      what: 'UEFI firmware gets no option 43 and asks port 4011',
      who: client({ platform: 'uefi-arm64' }),
      advice: load('snponly-arm64.efi'),
      is: { siaddr, file: 'snponly-arm64.efi', options: ['60=PXEClient', UUID] },
    },
    {
      what: 'UEFI HTTP boot gets a URL',
      who: client({ platform: 'uefi-x86_64', http: true }),
      advice: load(URL),
      is: { siaddr, file: '', options: ['60=HTTPClient', `67=${URL}`] },
    },
    {
      what: 'iPXE gets a URL',
      who: client({ stage: 'ipxe', platform: 'uefi-x86_64' }),
      advice: load(URL),
      is: { siaddr, file: URL, options: ['43=060108ff', '60=PXEClient', UUID] },
    },
    { what: 'nothing to boot: no answer', who: client({}), advice: SILENT, is: undefined },
  ])
    test(what, () => expect(shown(proxyFields(who, advice, request))).toEqual(is))
})

describe('as a boot server on port 4011', () => {
  for (const { what, item, is } of [
    { what: 'UEFI firmware gets its file', item: undefined, is: ['60=PXEClient', UUID] },
    {
      what: 'the boot item that was asked for comes back',
      item: Uint8Array.of(0x80, 0, 0, 0),
      is: ['43=470480000000ff', '60=PXEClient', UUID],
    },
  ])
    test(what, () =>
      expect(shown(bootServerFields(client({ platform: 'uefi-x86_64' }), load('a.efi'), request, item))).toEqual({
        siaddr,
        file: 'a.efi',
        options: is,
      }),
    )
  test('nothing to boot: no answer', () => expect(bootServerFields(client({}), SILENT, request, undefined)).toBeUndefined())
})
