export type RangeAnswer = { kind: 'whole' } | { kind: 'part'; start: number; end: number } | { kind: 'unsatisfiable' }

/**
 * What a Range header asks of an object of `bytes` bytes (RFC 9110 §14.2); `end` is inclusive. Anything but one well-formed byte
 * range is ignored, as the RFC allows, and gets the whole.
 */
export function parseRange(header: string | undefined, bytes: number): RangeAnswer {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = found ?? []
  if (!found || (first === '' && last === '')) return { kind: 'whole' }
  if (first === '') {
    const length = Number(last) // a suffix: the last so many bytes
    return length === 0 || bytes === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: Math.max(0, bytes - length), end: bytes - 1 }
  }
  const start = Number(first)
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)
  if (last !== '' && Number(last) < start) return { kind: 'whole' }
  return start >= bytes ? { kind: 'unsatisfiable' } : { kind: 'part', start, end }
}
