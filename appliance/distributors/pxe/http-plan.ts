import type { LanFile } from './lan-http.ts'

/** The headers of a request that decide how a file is answered. */
export interface FileHeaders {
  range?: string | undefined
  'if-range'?: string | undefined
  'if-none-match'?: string | undefined
}

/** What to answer: `send` is absent when there is no body. `start` and `length` are bytes. */
export interface FilePlan {
  status: 200 | 206 | 304 | 405 | 416
  headers: Record<string, string | number>
  send?: { start: number; length: number }
}

/** RFC 9110: HEAD (§9.3.2), conditions (§13.1), single ranges (§14.2). Content-Length is in every answer but 304. */
export function planFile(method: string, asked: FileHeaders, file: Pick<LanFile, 'size' | 'sha256'>): FilePlan {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { Allow: 'GET, HEAD', 'Content-Length': 0 } }
  const etag = `"${file.sha256}"`
  const common = { ETag: etag, 'Accept-Ranges': 'bytes' }
  if (asked['if-none-match'] !== undefined && listed(asked['if-none-match'], etag)) return { status: 304, headers: common }

  const whole = { ...common, 'Content-Type': 'application/octet-stream' }
  // ranges are defined for GET alone (§14.2); with If-Range only for the very bytes the client has begun with (§13.1.5)
  const range =
    method === 'GET' && (asked['if-range'] === undefined || asked['if-range'] === etag) ? parseRange(asked.range, file.size) : 'all'
  if (range === 'all') {
    const headers = { ...whole, 'Content-Length': file.size }
    return method === 'HEAD' ? { status: 200, headers } : { status: 200, headers, send: { start: 0, length: file.size } }
  }
  if (range === 'none') return { status: 416, headers: { ...common, 'Content-Range': `bytes */${file.size}`, 'Content-Length': 0 } }
  const { first, last } = range
  const length = last - first + 1
  const headers = { ...whole, 'Content-Range': `bytes ${first}-${last}/${file.size}`, 'Content-Length': length }
  return { status: 206, headers, send: { start: first, length } }
}

/** `all`: no range, one we do not understand, or several (a server may then send the whole, §14.2). `none`: no byte of it exists. */
export function parseRange(text: string | undefined, size: number): { first: number; last: number } | 'all' | 'none' {
  const match = text === undefined ? null : /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(text)
  const [, from, to] = match ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return 'all'
  if (from === '') {
    const suffix = Math.min(Number(to), size)
    return suffix === 0 ? 'none' : { first: size - suffix, last: size - 1 }
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return 'all' // malformed: "last before first"
  if (first >= size) return 'none'
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}

/** Weak comparison (§13.1.2): a `W/` before a tag does not matter here. */
function listed(list: string, etag: string): boolean {
  return list.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)
}
