/** `*` stands for any characters of one name, `**` for any. */
export function matches(pattern: string): (path: string) => boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'))
  const regex = new RegExp(`^${source}$`)
  return (path) => regex.test(path)
}

/** Those of `paths` that any pattern names. Throws RangeError naming a pattern that finds nothing; `optional` ones may. */
export function pick(paths: readonly string[], patterns: readonly string[]): string[] {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const here = paths.filter(matches(pattern))
    for (const path of here) found.add(path)
    if (here.length === 0) throw new RangeError(`no package has "${pattern}"`)
  }
  return [...found].sort()
}

/** Applets of a busybox program, in its own order: their names lie in it one after the other, sorted, the first being `[`. Throws RangeError. */
export function appletsOf(busybox: Uint8Array): string[] {
  const bytes = Buffer.from(busybox.buffer, busybox.byteOffset, busybox.byteLength)
  const start = bytes.indexOf('[\0[[\0', 0, 'latin1')
  const end = start < 0 ? -1 : bytes.indexOf('\0\0', start, 'latin1')
  const names = end < 0 ? [] : bytes.toString('latin1', start, end).split('\0')
  if (names.length < 100) throw new RangeError('this busybox has no list of applets')
  return names.filter((name) => /^[a-z0-9_.[-]+$/.test(name))
}

/** Applets that would let somebody in or hand something out: nothing on the box starts them, so they get no name. */
const UNNAMED =
  /^(add(user|group)|del(user|group)|chpasswd|dnsd|fakeidentd|ftpd|getty|httpd|inetd|login|nc|passwd|su|sulogin|tcpsvd|telnetd?|tftpd|udhcpd|udpsvd|vlock)$/
export const isNamed = (applet: string) => !UNNAMED.test(applet)
