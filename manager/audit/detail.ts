/** What an entry tells of a change. */
export type Detail = Record<string, unknown>

/**
 * Fields that hold neither a secret nor much, in any request. What is not here is not kept, so that a new field is safe until somebody
 * has thought of it. Keys of `tags` are people's own, and kept.
 */
const PLAIN = new Set(
  `address approved architecture architectures arm64 bannerSeconds board builder console country days deadlineSeconds dns domain edition
  email encrypted file firmware floor forwarders from gateway hardware hash hosts id image initrd install interface ip ipxe kernel
  keyboard kind lan lans level loader locale macPrefix macs match mode model name nat network ntp options order outputs package packages
  percent pci platform port postInstall prefix product profile proxy publicKey pxe ranges records release role router scopes selector
  serial sha256 shim site sites source speed ssid subnet suite tags targets timeZone timezone to type unknown uplink url user uuid value
  vendor version waves way wifi window x86_64 zone`.split(/\s+/),
)
/** Of these the length is told; people put secrets into them. */
const LONG = new Set(['text', 'script', 'cmdline', 'autoexec'])
/** `script` may be the name of one. */
const NAME = /^[\w.@-]{1,100}$/
const MAX_TEXT = 200
const MAX_ITEMS = 20
const MAX_DEPTH = 4
/** Of the whole entry, as JSON. */
const MAX_CHARS = 4_096

/** The changed fields of a request, without secrets and without what is long. Pure; bounded whatever came. */
export function detailOf(body: unknown): Detail {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return {}
  const detail = kept(body as Record<string, unknown>, 0)
  if (JSON.stringify(detail).length <= MAX_CHARS) return detail
  const fields = Object.keys(detail)
    .slice(0, MAX_ITEMS)
    .map((field) => cut(field))
  return { fields, note: 'too much to keep' }
}

function kept(fields: Record<string, unknown>, depth: number, isPlain?: boolean): Detail {
  const entries = Object.entries(fields)
  const shown = entries
    .slice(0, MAX_ITEMS * 2)
    .map(([key, value]) => [cut(key), keptValue(key, value, depth, isPlain || undefined)] as const)
  const more = entries.length - shown.length
  return Object.fromEntries([...shown, ...(more > 0 ? [['...', `and ${more} more`] as const] : [])])
}

function keptValue(key: string, value: unknown, depth: number, isPlain = PLAIN.has(key)): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (key === 'script' && typeof value === 'string' && NAME.test(value)) return value
  if (LONG.has(key)) return amount(value)
  if (typeof value === 'string') return isPlain ? cut(withoutSecrets(value)) : '(not kept)'
  if (!isPlain || depth >= MAX_DEPTH) return amount(value)
  if (!Array.isArray(value)) return kept(value as Record<string, unknown>, depth + 1, key === 'tags')
  const items = value.slice(0, MAX_ITEMS).map((item) => keptValue(key, item, depth + 1))
  return value.length > MAX_ITEMS ? [...items, `and ${value.length - MAX_ITEMS} more`] : items
}

function amount(value: unknown): string {
  if (typeof value === 'string') return `(${value.length} characters)`
  if (Array.isArray(value)) return `(${value.length} items)`
  return `(${Object.keys(value ?? {}).length} fields)`
}

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}... (${text.length} characters)` : text)
/** `http://user:password@proxy/x?token=y` -> `http://(not kept)@proxy/x?(not kept)`. In linear time: texts may be long. */
function withoutSecrets(text: string): string {
  if (!text.includes('://')) return text
  const words = text.split(/(\s+)/).map((word) => {
    if (!word.includes('://')) return word
    const [path = '', ...query] = word.split('?')
    return path.replaceAll(/(?<=:\/\/)[^/@]+@/g, '(not kept)@') + (query.length > 0 ? '?(not kept)' : '')
  })
  return words.join('')
}
