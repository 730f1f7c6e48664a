/** What the box knows of its own fitness, from self-tests over loopback. An update is committed on it; the watchdog is fed on it. */
export interface HealthReport {
  /** Every service is. The uplink is not part of it: a site works without. */
  ok: boolean
  /** By name (`dhcp`, `dns`, `tftp`, `http`, `store`): `ok`, or what is wrong. */
  services: Record<string, 'ok' | string>
  /** `none`: this box belongs to no manager. */
  uplink: 'ok' | 'down' | 'none'
}
