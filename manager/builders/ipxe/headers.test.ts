import { expect, test } from 'vitest'
import { configHeaders } from './headers.ts'
import { IpxeOptions } from './options.ts'
import { EC_CA, RSA_CA } from './testing-certificates.ts'

const BIOS = { firmware: 'bios', architecture: 'x86_64' } as const
const UEFI = { firmware: 'uefi', architecture: 'x86_64' } as const
const ARM = { firmware: 'uefi', architecture: 'arm64' } as const
/** Macros that 1.21.1 has never heard of. */
const SINCE_2 = [
  'CRYPTO_PUBKEY_ECDSA',
  'SERIAL_SPCR',
  'SERIAL_FIXED',
  'FORM_CMD',
  'USB_CMD',
  'IMAGE_ARCHIVE_CMD',
  'IMAGE_MEM_CMD',
  'SHIM_CMD',
  'FDT_CMD',
]
const old = (macro: string) => !SINCE_2.includes(macro)
const recent = () => true

for (const { wish, options, place = BIOS, knows = recent, file = 'general.h', has = [], hasNot = [], problems = [] } of [
  {
    wish: 'every macro is undefined before it is defined',
    options: { https: true },
    has: ['#undef DOWNLOAD_PROTO_HTTPS\n#define DOWNLOAD_PROTO_HTTPS\n'],
  },
  {
    wish: 'what is off is undefined, because other versions and platforms have it on',
    options: { vlan: false },
    has: ['#undef VLAN_CMD\n'],
    hasNot: ['#define VLAN_CMD'],
  },
  { wish: 'BIOS has the commands that 2.0.0 leaves out there', options: {}, has: ['#define NTP_CMD\n', '#define PARAM_CMD\n'] },
  {
    wish: 'the banner is counted in tenths of a second',
    options: { bannerSeconds: 1.5 },
    has: ['#undef BANNER_TIMEOUT\n#define BANNER_TIMEOUT 15\n'],
  },
  { wish: 'what the source does not know is not mentioned when off', options: {}, knows: old, hasNot: ['FORM_CMD', 'USB_CMD'] },
  {
    wish: 'what the source does not know is a problem when on',
    options: { form: true, imageExtract: true },
    knows: old,
    problems: [
      'imageExtract: this version of iPXE does not know it (IMAGE_ARCHIVE_CMD)',
      'form: this version of iPXE does not know it (FORM_CMD)',
    ],
  },
  { wish: 'a command of UEFI alone is left out on BIOS', options: { shim: true }, hasNot: ['SHIM_CMD'] },
  { wish: 'a command of UEFI alone is there on UEFI', options: { shim: true }, place: UEFI, has: ['#define SHIM_CMD\n'] },
  { wish: 'device trees are of arm64 alone', options: { fdt: true }, place: UEFI, hasNot: ['FDT_CMD'] },
  {
    wish: 'the log level is always set anew',
    options: { syslog: { level: 'debug' as const } },
    file: 'console.h',
    has: ['#undef LOG_LEVEL\n#define LOG_LEVEL LOG_DEBUG\n', '#define CONSOLE_SYSLOG\n', '#undef CONSOLE_SYSLOGS\n'],
  },
  {
    wish: 'an encrypted log replaces the plain one',
    options: { syslog: { encrypted: true } },
    file: 'console.h',
    has: ['#define CONSOLE_SYSLOGS\n', '#define LOG_LEVEL LOG_INFO\n'],
    hasNot: ['#define CONSOLE_SYSLOG\n'],
  },
  { wish: 'no log: level none', options: {}, file: 'console.h', has: ['#define LOG_LEVEL LOG_NONE\n'] },
  {
    wish: 'a keyboard with a dash',
    options: { keyboard: 'no-latin1' as const },
    file: 'console.h',
    has: ['#define KEYBOARD_MAP no_latin1\n'],
  },
  {
    wish: 'a serial console on BIOS, not where the firmware says',
    options: { serial: { port: 'COM2' as const, speed: 9600 as const } },
    file: 'serial.h',
    has: ['#define COMCONSOLE COM2\n', '#define COMSPEED 9600\n', '#undef SERIAL_SPCR\n', '#define SERIAL_FIXED\n'],
    hasNot: ['#define SERIAL_SPCR'],
  },
  {
    wish: 'a serial console in 1.21.1',
    options: { serial: {} },
    knows: old,
    file: 'serial.h',
    has: ['#define COMCONSOLE COM1\n'],
    hasNot: ['SPCR', 'FIXED'],
  },
  {
    wish: 'no serial console in UEFI unless asked',
    options: { serial: {} },
    place: UEFI,
    file: 'console.h',
    hasNot: ['#define CONSOLE_SERIAL'],
  },
  {
    wish: 'a serial console in UEFI when asked',
    options: { serial: { uefi: true } },
    place: UEFI,
    file: 'console.h',
    has: ['#define CONSOLE_SERIAL\n'],
  },
  {
    wish: 'on arm64 the firmware names the port',
    options: { serial: { uefi: true } },
    place: ARM,
    file: 'serial.h',
    hasNot: ['COMCONSOLE', '#undef SERIAL_SPCR'],
  },
  {
    wish: 'on arm64 with an old source there is no serial console',
    options: { serial: { uefi: true } },
    place: ARM,
    knows: old,
    problems: ['serial.uefi: on arm64 this needs iPXE 2.0.0 or newer, which asks the firmware where the port is'],
  },
  { wish: 'an EC root is good for 2.0.0', options: { https: true, trust: EC_CA } },
  {
    wish: 'an EC root is a problem for 1.21.1',
    options: { https: true, trust: RSA_CA + EC_CA },
    knows: old,
    problems: ['trust: CN=EC test root has an EC key; this version of iPXE checks RSA alone'],
  },
  {
    wish: 'cross-signed certificates from another place',
    options: { https: true, crossCertificates: 'http://ca.internal/auto', ocsp: false },
    file: 'crypto.h',
    has: ['#undef CROSSCERT\n#define CROSSCERT "http://ca.internal/auto"\n', '#undef OCSP_CHECK\n'],
    hasNot: ['#define OCSP_CHECK'],
  },
])
  test(wish, () => {
    const made = configHeaders(IpxeOptions.parse(options), place, knows)
    for (const part of has) expect(made.files[file]).toContain(part)
    for (const part of hasNot) expect(made.files[file]).not.toContain(part)
    expect(made.problems).toEqual(problems)
  })

test('the same options give the same text', () => {
  const one = configHeaders(IpxeOptions.parse({ https: true, nfs: true }), UEFI, recent)
  const other = configHeaders(IpxeOptions.parse({ nfs: true, https: true, vlan: true }), UEFI, recent)
  expect(other).toEqual(one)
})
