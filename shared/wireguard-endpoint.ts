import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Log } from './log.ts'

/**
 * Turns `host:port` into `ip:port`. A name that cannot be looked up gives the last address that it had, or undefined: the peer is
 * then configured without endpoint, and the name tried again later. (`wg` itself would block for minutes and fail as a whole.)
 */
export function createResolver(log: Log): (endpoint: string) => Promise<string | undefined> {
  const known = new Map<string, string>()
  return async (endpoint) => {
    const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(endpoint)
    if (!found) throw new Error(`endpoint "${endpoint}": expected host:port, an IPv6 host in brackets`)
    const host = found[1] ?? found[2] ?? ''
    if (isIP(host)) return endpoint
    try {
      const { address, family } = await lookup(host)
      const resolved = `${family === 6 ? `[${address}]` : address}:${found[3]}`
      known.set(endpoint, resolved)
      return resolved
    } catch (error) {
      log.warn('tunnel.unresolved', { endpoint, last: known.get(endpoint), error })
      return known.get(endpoint)
    }
  }
}
