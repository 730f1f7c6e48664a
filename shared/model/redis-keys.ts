/** Redis keys of one site; the braces are a hash tag, so that all lie in one Cluster slot. */
export function siteKeys(site: string) {
  return {
    /** String: the signed SiteState (compact JWS). */
    state: `site:{${site}}:state`,
    /** Stream, down: field `jws` holds a signed Command. Group `appliance`, consumer `appliance`. */
    commands: `site:{${site}}:commands`,
    /** Stream, up: field `event` holds one SiteEvent as JSON. Group `manager`. */
    events: `site:{${site}}:events`,
    /** String that expires: JSON of Presence. */
    presence: `site:{${site}}:presence`,
    /** Pub/sub channel, down: the new revision's number, a nudge to read `state`. */
    nudge: `site:{${site}}:nudge`,
  } as const
}

export const COMMAND_GROUP = 'appliance'
export const EVENT_GROUP = 'manager'
/** Presence is renewed every 10 s and expires after 35 s. */
export const PRESENCE_SECONDS = { every: 10, expires: 35 } as const

export interface Presence {
  at: number
  version: string
  revision: number
  outbox: number
  counters: Record<string, number>
  /** The box's self-tests, by service; a box that is not flashed makes none. */
  health?: Health | undefined
}

/** `services` by name (`dhcp`, `dns`, `tftp`, `http`, `store`): `ok`, or what is wrong. */
export interface Health {
  ok: boolean
  services: Record<string, string>
  uplink: 'ok' | 'down' | 'none'
}
