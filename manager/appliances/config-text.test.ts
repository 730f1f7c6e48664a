import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { expect, test } from 'vitest'
import { ConfigTextError, encodeConfig, whyNoConfig } from './config-text.ts'

const CONFIG = {
  name: 'berlin',
  manager: 'https://manager.example:8443',
  token: 'bhe_0123456789abcdef',
  uplink: { wifi: { ssid: 'Café "Zürich"', psk: 'a\\b"c d e f' } },
  install: undefined,
}

test('a config is 4096 bytes that begin with the magic, end with a line feed, and read back the same', () => {
  const block = encodeConfig(CONFIG)
  expect([block.length, block.at(-1)]).toEqual([4096, 0x0a])
  const text = new TextDecoder().decode(block)
  expect(text.startsWith('{"bridgehead":1,\n  "name": "berlin",\n')).toBe(true)
  expect(ApplianceConfig.parse(JSON.parse(text))).toEqual({ bridgehead: 1, ...JSON.parse(JSON.stringify(CONFIG)) })
  expect(whyNoConfig(block)).toBeUndefined()
  expect(whyNoConfig(encodeConfig({}))).toBeUndefined()
})

test('one that does not fit is refused, and says how much room there is', () => {
  expect(() => encodeConfig({ name: 'ü'.repeat(2_100) })).toThrow(ConfigTextError)
  expect(() => encodeConfig({ name: 'ü'.repeat(2_100) })).toThrow('room for 4095')
  expect(encodeConfig({ name: 'x'.repeat(4_095 - encodeConfigOverhead()) }).length).toBe(4096)
})

const encodeConfigOverhead = () => '{"bridgehead":1,\n  "name": ""\n}'.length

for (const { what, bytes, says } of [
  { what: 'zeros', bytes: new Uint8Array(4096), says: 'begin with' },
  { what: 'half a block', bytes: encodeConfig({}).subarray(0, 2048), says: 'got 2048' },
  { what: 'JSON that breaks off', bytes: Buffer.from(`{"bridgehead":1, "name": ${' '.repeat(4070)}\n`), says: 'expected JSON' },
  { what: 'a block without its line feed', bytes: Buffer.from(`{"bridgehead":1}${' '.repeat(4080)}`), says: 'line feed' },
])
  test(`${what} is no place for a config`, () => expect(whyNoConfig(bytes)).toContain(says))
