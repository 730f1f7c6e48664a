/** Size of `bridgehead.json` on a card as flashed: text of any site fits, and the manager can replace it while it streams the image. */
export const CONFIG_BYTES = 4096
/** The file's first bytes, by which the builder finds it in the image. */
export const CONFIG_MAGIC = '{"bridgehead":1'

/** The text on one line, filled with spaces before its newline. Throws RangeError where it is too long. */
export function encodeConfigFile(config: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify({ bridgehead: 1, ...config }))
  if (text.length >= CONFIG_BYTES) throw new RangeError(`bridgehead.json has ${text.length} bytes; expected less than ${CONFIG_BYTES}`)
  const file = new Uint8Array(CONFIG_BYTES).fill(0x20)
  file.set(text)
  file[CONFIG_BYTES - 1] = 0x0a
  return file
}
