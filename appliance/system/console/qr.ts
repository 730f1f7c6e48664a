import { encode } from 'uqr'

/** Light around the code; the standard wants 4 modules (ISO/IEC 18004 §9.1), phones are content with 2. */
const QUIET = 2

/** `text` as a QR code of block characters, two modules a character, light on a dark screen. */
export function qrLines(text: string): string[] {
  const { data } = encode(text, { ecc: 'L', border: QUIET })
  const isLight = (row: number, column: number) => data[row]?.[column] !== true
  const lines: string[] = []
  for (let row = 0; row < data.length; row += 2) {
    let line = ''
    for (let column = 0; column < data.length; column++) {
      const upper = isLight(row, column)
      const lower = row + 1 < data.length && isLight(row + 1, column)
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' '
    }
    lines.push(line)
  }
  return lines
}
