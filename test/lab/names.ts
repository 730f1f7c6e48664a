/** Names of what one lab makes on this machine. The pid says whose it is, so that leftovers of dead runs can be told. */
export interface LabNames {
  /** Of network namespaces. */
  namespace(role: string): string
  /** Of WireGuard interfaces: at most 15 characters, unique over all namespaces (wireguard-go keeps one socket path a name). */
  tunnel(role: string): string
  /** Beginning of the temporary directory's name. */
  directory: string
}

export function labNames(pid: number, index: number): LabNames {
  return {
    namespace: (role) => `bhlab-${pid}-${index}-${role}`,
    tunnel: (role) => `bh${role}${pid}-${index}`.slice(0, 15),
    directory: `bhlab-${pid}-${index}-`,
  }
}

/** The pid in a name that `labNames` made; undefined for any other name. */
export function ownerOf(name: string): number | undefined {
  const found = /^bhlab-(\d+)-\d+-/.exec(name)
  return found?.[1] === undefined ? undefined : Number(found[1])
}
