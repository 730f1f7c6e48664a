import { siteKeys } from '@bridgehead/shared/model/redis-keys.ts'

/** Ids become part of key patterns, where `*`, `?` and `[` would widen them. */
const SITE_ID = /^[a-z0-9-]{1,64}$/
const SHA256 = /^[0-9a-f]{64}$/

export function siteUserName(site: string): string {
  if (!SITE_ID.test(site)) throw new RangeError(`site id "${site}": expected lower-case letters, digits and dashes`)
  return `site-${site}`
}

/**
 * The arguments of `ACL SETUSER` for a site: the whole user, replacing what was there. One selector per key, so that a command
 * that is fit for one key is refused on the others (SET may not overwrite the event stream).
 *
 * `clientSetInfo`: CLIENT SETINFO exists from Redis 7.2; naming an unknown sub-command is an error.
 */
export function siteUserRules(site: string, secretSha256: string, { clientSetInfo }: { clientSetInfo: boolean }): string[] {
  if (!SHA256.test(secretSha256)) throw new RangeError('secret: expected its SHA-256 as 64 lower-case hexadecimal digits')
  const keys = siteKeys(site)
  return [
    siteUserName(site),
    'reset',
    'on',
    `#${secretSha256}`,
    // Connection, and the nudge. AUTH, HELLO, QUIT and RESET are open to everybody in Redis itself.
    '-@all',
    '+ping',
    '+hello',
    '+client|setname',
    ...(clientSetInfo ? ['+client|setinfo'] : []),
    '+subscribe',
    '+unsubscribe',
    `&${keys.nudge}`,
    `(-@all +get %R~${keys.state})`,
    `(-@all +xreadgroup +xack +xdel +xautoclaim +xgroup|create %RW~${keys.commands})`,
    `(-@all +xadd %W~${keys.events})`,
    `(-@all +set %W~${keys.presence})`,
  ]
}
