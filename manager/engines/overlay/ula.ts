/** A ULA /48 as its first three groups, numbers of 16 bits. */
type Groups = readonly [number, number, number]

/** A random ULA prefix (RFC 4193 §3.2.2): fd, then 40 random bits. `fd12:3456:789a::/48`. */
export function newUlaPrefix(random: (bytes: number) => Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = random(5)
  return `${formatGroups([0xfd00 | a, (b << 8) | c, (d << 8) | e])}/48`
}

/** Subnet 0, host 1 of the /48: `fd12:3456:789a::1`. */
export function hubAddress(prefix: string): string {
  return `${formatGroups(groupsOf(prefix))}1`
}

/** Site number `subnet` (1..65535): its /64, and the appliance's address (::1) in it, with and without prefix length. */
export function siteNetwork(prefix: string, subnet: number): { network: string; address: string; cidr: string } {
  if (!Number.isInteger(subnet) || subnet < 1 || subnet > 0xffff) throw new RangeError(`overlay subnet ${subnet}: expected 1 to 65535`)
  const base = `${groupsOf(prefix).map(hex).join(':')}:${hex(subnet)}::`
  return { network: `${base}/64`, address: `${base}1`, cidr: `${base}1/64` }
}

/** Reads `fd12:3456:789a::/48`, the only form that `newUlaPrefix` writes. */
function groupsOf(prefix: string): Groups {
  const found = /^(fd[0-9a-f]{2}):([0-9a-f]{1,4}):([0-9a-f]{1,4})::\/48$/.exec(prefix)
  if (!found) throw new RangeError(`overlay prefix "${prefix}": expected a ULA /48 such as fd12:3456:789a::/48`)
  const [, one = '', two = '', three = ''] = found
  return [Number.parseInt(one, 16), Number.parseInt(two, 16), Number.parseInt(three, 16)]
}

const hex = (group: number) => group.toString(16)

function formatGroups(groups: Groups): string {
  return `${groups.map(hex).join(':')}::`
}
