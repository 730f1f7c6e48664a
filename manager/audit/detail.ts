/** What an entry tells of a change. */
export type Detail = Record<string, unknown>

/** Fields that may hold a secret, wherever they stand; their value is never kept. */
const SECRET = /password|passphrase|psk|secret|token|proof|private|credential|^(api)?key$|^code$|^jws$/i
/** Values that are long, or in which people put secrets: only how much there was is kept. */
const WITHHELD = new Set(['text', 'vars', 'variables', 'cmdline', 'script', 'env'])
/** Names, not scripts: short values of the fields above that stand for something else. */
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

function kept(fields: Record<string, unknown>, depth: number): Detail {
  const entries = Object.entries(fields)
  const shown = entries.slice(0, MAX_ITEMS * 2).map(([key, value]) => [cut(key), keptValue(key, value, depth)] as const)
  const more = entries.length - shown.length
  return Object.fromEntries([...shown, ...(more > 0 ? [['...', `and ${more} more`] as const] : [])])
}

function keptValue(key: string, value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (SECRET.test(key)) return '(not kept)'
  if (WITHHELD.has(key) && !(key === 'script' && typeof value === 'string' && NAME.test(value))) return amount(value)
  if (typeof value === 'string') return cut(withoutLogin(value))
  if (depth >= MAX_DEPTH) return amount(value)
  if (!Array.isArray(value)) return kept(value as Record<string, unknown>, depth + 1)
  const items = value.slice(0, MAX_ITEMS).map((item) => keptValue('', item, depth + 1))
  return value.length > MAX_ITEMS ? [...items, `and ${value.length - MAX_ITEMS} more`] : items
}

function amount(value: unknown): string {
  if (typeof value === 'string') return `(${value.length} characters)`
  if (Array.isArray(value)) return `(${value.length} items)`
  return `(${Object.keys(value ?? {}).length} fields)`
}

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}... (${text.length} characters)` : text)
/** `http://user:password@proxy` -> `http://(not kept)@proxy`. */
const withoutLogin = (text: string) => text.replaceAll(/(\w+:\/\/)[^/@\s]+@/g, '$1(not kept)@')
