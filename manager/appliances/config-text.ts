import { CONFIG_BYTES, CONFIG_MAGIC } from '@bridgehead/shared/model/appliance-image.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'

export class ConfigTextError extends Error {
  readonly code = 'config-text'
}

/**
 * `bridgehead.json` as it lies in an image: 4096 bytes of UTF-8, one setting a line so that people can edit it, spaces, "\n". Throws
 * ConfigTextError when it does not fit.
 *
 *   {"bridgehead":1,\n  "manager": "https://...",\n  ...\n}   spaces   \n
 */
export function encodeConfig(config: Omit<ApplianceConfig, 'bridgehead'>): Uint8Array {
  const settings = Object.entries(config).filter(([, value]) => value !== undefined)
  const text = `${[CONFIG_MAGIC, ...settings.map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`)].join(',\n')}\n}`
  const bytes = new TextEncoder().encode(text)
  if (bytes.length >= CONFIG_BYTES)
    throw new ConfigTextError(`bridgehead.json has ${bytes.length} bytes with these settings; an image has room for ${CONFIG_BYTES - 1}`)
  const block = new Uint8Array(CONFIG_BYTES).fill(0x20)
  block.set(bytes)
  block[CONFIG_BYTES - 1] = 0x0a
  return block
}

/** Whether these bytes of an image are a placeholder, or were one: magic, JSON, spaces, "\n". The reason, when they are not. */
export function whyNoConfig(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes)
  if (bytes.length !== CONFIG_BYTES) return `expected ${CONFIG_BYTES} bytes, got ${bytes.length}`
  if (!text.startsWith(CONFIG_MAGIC)) return `expected bytes that begin with ${CONFIG_MAGIC}`
  if (!text.endsWith('\n')) return 'expected a line feed as the last of the 4096 bytes'
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return `expected JSON: ${error instanceof Error ? error.message : String(error)}`
  }
}
