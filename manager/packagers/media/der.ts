/** One value of ASN.1 in DER (ITU-T X.690 §8.1): where it and its content lie in the bytes. */
export interface DerValue {
  tag: number
  /** With tag and length. */
  whole: Uint8Array
  content: Uint8Array
}

/** The value at the beginning. Throws TypeError when it is cut off or of indefinite length. */
export function readDer(bytes: Uint8Array): DerValue {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined) throw new TypeError('DER: cut off')
  let length = first
  let start = 2
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 4) throw new TypeError('DER: expected a definite length of at most 4 octets')
    length = 0
    for (const octet of bytes.subarray(2, 2 + octets)) length = length * 256 + octet
    start += octets
  }
  if (start + length > bytes.length) throw new TypeError('DER: cut off')
  return { tag, whole: bytes.subarray(0, start + length), content: bytes.subarray(start, start + length) }
}

/** The members of a SEQUENCE, SET or explicit tag. */
export function membersOf(value: DerValue | undefined): DerValue[] {
  const members: DerValue[] = []
  for (let rest = value?.content ?? new Uint8Array(0); rest.length > 0; ) {
    const member = readDer(rest)
    members.push(member)
    rest = rest.subarray(member.whole.length)
  }
  return members
}

/** An OBJECT IDENTIFIER in dots (X.690 §8.19). */
export function oidOf(value: DerValue | undefined): string {
  if (value?.tag !== 0x06) return ''
  const numbers: number[] = []
  let number = 0
  for (const octet of value.content) {
    number = number * 128 + (octet & 0x7f)
    if (octet & 0x80) continue
    if (numbers.length === 0) numbers.push(Math.min(2, Math.floor(number / 40)), number - 40 * Math.min(2, Math.floor(number / 40)))
    else numbers.push(number)
    number = 0
  }
  return numbers.join('.')
}
