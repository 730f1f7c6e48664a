import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import type { Outbox } from '../../store/outbox.ts'
import type { Store } from '../../store/store.ts'

/** What DHCP asks the boot side. All synchronous, called inside the `store.write` turn that answers the client. */
export interface BootAdvisor {
  /** What this machine shall load. Called only for PXE, UEFI HTTP boot and iPXE clients. */
  advise(client: BootClient, lan: Lan): BootAdvice
  /** Tells that a boot client was at `stage`; in `observe` mode too. `ip` is what it was offered or given (not in `proxy` mode). */
  saw(client: BootClient, lan: Lan, stage: 'discover' | 'offer' | 'request' | 'ack', ip?: Ipv4): void
  /** The address that the operator reserved for a machine. */
  reservation(mac: Mac): Ipv4 | undefined
  /** True when the operator reserved this address for any machine: the pool then gives it to nobody else. */
  reserved(ip: Ipv4): boolean
}

export interface DhcpDeps {
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
  /** In [0, 1); transaction ids of probes. */
  random?: () => number
  /** 67 and 4011, or others for trials without root (the client's port is then `dhcp + 1`). */
  ports: { dhcp: number; pxe: number }
  boot: BootAdvisor
  /** How long `serve` listens for another server before it first answers; epoch-free ms. Default 5000: dnsmasq offers after 3 s. */
  probeMs?: number
}
