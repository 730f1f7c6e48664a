import { join } from 'node:path'

/** Where each part of a development set listens: nine ports in a row. */
export interface DevPorts {
  console: number
  https: number
  uplink: number
  redis: number
  dhcp: number
  pxe: number
  dns: number
  tftp: number
  http: number
}

export function devPorts(first: number): DevPorts {
  return {
    console: first,
    https: first + 1,
    uplink: first + 2,
    redis: first + 3,
    dhcp: first + 4,
    pxe: first + 5,
    dns: first + 6,
    tftp: first + 7,
    http: first + 8,
  }
}

/** Settings of both daemons: everything on loopback, no overlay, no port below 1024. */
export function devEnvironment({ data, ports, bucket }: { data: string; ports: DevPorts; bucket: string }) {
  const { dhcp, pxe, dns, tftp, http } = ports
  return {
    manager: {
      BRIDGEHEAD_DATA: join(data, 'manager'),
      BRIDGEHEAD_BUCKET: bucket,
      BRIDGEHEAD_HTTP: `127.0.0.1:${ports.console}`,
      BRIDGEHEAD_HTTPS: `127.0.0.1:${ports.https}`,
      BRIDGEHEAD_PUBLIC_URL: `https://127.0.0.1:${ports.https}`,
      BRIDGEHEAD_OVERLAY: 'off',
      BRIDGEHEAD_UPLINK_PORT: String(ports.uplink),
      BRIDGEHEAD_REDIS_PORT: String(ports.redis),
    },
    appliance: { BRIDGEHEAD_PORTS: `dhcp=${dhcp},pxe=${pxe},dns=${dns},tftp=${tftp},http=${http}` },
  }
}

/** A site on loopback. It observes: there is nobody to serve, and another server on this machine must not be disturbed. */
export const DEV_SITE = {
  name: 'dev',
  tags: { place: 'here' },
  lans: [{ name: 'loopback', subnet: '127.0.0.0/8', address: '127.0.0.1', mode: 'observe' }],
}
