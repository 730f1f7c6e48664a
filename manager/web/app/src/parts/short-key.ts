/** Type, and the last characters, which differ most. Pure. */
export function shortKey(line: string): string {
  const [type = '', blob = ''] = line.split(' ')
  return `${type} …${blob.slice(-12)}`
}
