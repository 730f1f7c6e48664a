import { CONFIG_BYTES, CONFIG_MAGIC } from '@bridgehead/shared/model/appliance-image.ts'
import { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { expect, test } from 'vitest'
import { encodeConfigFile } from './config-file.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('an empty one has its full size, begins with the magic, ends with a newline, and is one that the daemon takes', () => {
  const file = encodeConfigFile()
  expect(file).toHaveLength(CONFIG_BYTES)
  expect(text(file)).toMatch(/ \n$/)
  expect(text(file).startsWith(CONFIG_MAGIC)).toBe(true)
  expect(ApplianceConfig.parse(JSON.parse(text(file)))).toEqual({ bridgehead: 1 })
})

test('what does not fit is refused', () => {
  expect(() => encodeConfigFile({ name: 'x'.repeat(5000) })).toThrow(/expected less than 4096/)
})
