import { expect, test } from 'vitest'
import { formatProblem, parseConfig } from './read-config.ts'

const read = (text: string) => parseConfig(new TextEncoder().encode(text))
const said = (text: string) => {
  const result = read(text)
  return 'problems' in result ? result.problems.map(formatProblem).join(' | ') : 'fine'
}

const MANAGER = '"manager": "https://manager.example:8443"'

for (const row of [
  { file: 'the placeholder of a fresh image', text: `{"bridgehead":1}${' '.repeat(4079)}\n` },
  {
    file: 'with every setting',
    text: `{"bridgehead":1, ${MANAGER}, "name": "shop 12", "token": "0123456789abcdef", "install": "auto",
    "uplink": {"interface": "eth0", "address": "10.0.0.7/24", "gateway": "10.0.0.1", "dns": ["10.0.0.1"], "vlan": 7, "proxy": "http://p:3128"},
    "lan": {"interface": "eth1", "nat": true}}`,
  },
  { file: 'saved with a byte order mark and CRLF', text: `\ufeff{\r\n ${MANAGER}\r\n}\r\n` },
  { file: 'for Wi-Fi', text: '{"uplink":{"wifi":{"ssid":"Büro","psk":"correct horse","country":"DE"}}}' },
])
  test(`a file ${row.file} is read`, () => expect(said(row.text)).toBe('fine'))

for (const row of [
  { file: 'is empty', text: '', says: /the file is empty/ },
  {
    file: 'lacks a comma',
    text: `{\n  ${MANAGER}\n  "name": "x"\n}`,
    says: /^line 3: no valid JSON here: Expected ',' or '}' after property value$/,
  },
  { file: 'ends in the middle', text: `{\n  ${MANAGER},\n  "uplink": {`, says: /^line 3: no valid JSON here/ },
  { file: 'has typographic quotation marks', text: '{\n “manager”: 1\n}', says: /^line 2: .*plain "/ },
  { file: 'names an unknown setting', text: `{\n  ${MANAGER},\n  "tokne": "x"\n}`, says: /^line 3, tokne: no such setting/ },
  {
    file: 'names an unknown setting deep down',
    text: '{\n "uplink": {\n  "adress": "10.0.0.7/24"\n }\n}',
    says: /^line 3, uplink\.adress: no such setting/,
  },
  {
    file: 'has an address without prefix',
    text: '{\n "uplink": {\n\n  "address": "10.0.0.7"}}',
    says: /^line 4, uplink\.address: expected an address with its prefix/,
  },
  {
    file: 'has a gateway elsewhere',
    text: '{"uplink":{"address":"10.0.0.7/24",\n"gateway":"10.0.1.1"}}',
    says: /^line 2, uplink\.gateway: 10\.0\.1\.1 lies outside/,
  },
  { file: 'has a gateway alone', text: '{"uplink":{"gateway":"10.0.1.1"}}', says: /uplink\.gateway: belongs to a fixed address/ },
  {
    file: 'has a name server that is none',
    text: '{"uplink":{"dns":["10.0.0.1",\n"router"]}}',
    says: /^line 2, uplink\.dns\.1: expected an IP address/,
  },
  { file: 'has a token without manager', text: '{"token":"0123456789abcdef"}', says: /^line 1, token: expected "manager"/ },
  { file: 'has a manager in the open', text: '{\n"manager":"http://manager.example"}', says: /^line 2, manager: expected https/ },
  { file: 'is a list', text: '[]', says: /^line 1, document: / },
])
  test(`a file that ${row.file} is told with its line and field`, () => expect(said(row.text)).toMatch(row.says))

test('several mistakes are told at once', () => {
  expect(said('{\n"name": 1,\n"install": ""\n}')).toMatch(/^line 2, name: .* \| line 3, install: /)
})

test('UTF-16 from an editor is recognised', () => {
  const result = parseConfig(Buffer.from('\ufeff{}', 'utf16le'))
  expect('problems' in result && result.problems.map(formatProblem)).toEqual(['the file is saved as UTF-16; save it as UTF-8'])
})

test('no bytes make it throw', () => {
  const random = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7919 + length * 31) % 256)
  for (let length = 1; length < 300; length++) expect(() => parseConfig(random(length))).not.toThrow()
  const whole = `{\n ${MANAGER},\n "uplink": {"dns": ["1.1.1.1", "x\\"y"], "vlan": -1e3}, "lan": {"nat": null}, "token": [{}, []]}`
  for (let end = 0; end <= whole.length; end++) expect(() => read(whole.slice(0, end))).not.toThrow()
})
