import { CONFIG_BYTES } from '@bridgehead/shared/model/appliance-image.ts'

/** The text on one line, filled with spaces before its newline. Throws RangeError where it is too long. */
export function encodeConfigFile(config: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify({ bridgehead: 1, ...config }))
  if (text.length >= CONFIG_BYTES) throw new RangeError(`bridgehead.json has ${text.length} bytes; expected less than ${CONFIG_BYTES}`)
  const file = new Uint8Array(CONFIG_BYTES).fill(0x20)
  file.set(text)
  file[CONFIG_BYTES - 1] = 0x0a
  return file
}
