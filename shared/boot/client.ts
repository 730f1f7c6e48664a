import type { Ipv4, Mac } from '../model/address.ts'
import type { Platform } from '../model/state.ts'

/** A machine that asks for something to boot, as far as its packet tells. */
export interface BootClient {
  mac: Mac
  /** From option 97, in normal (RFC 9562) order; absent when all zero. */
  uuid?: string | undefined
  platform: Platform
  /** Who asks: the firmware, or iPXE that is already running (user class `iPXE`, option 77, or option 175). */
  stage: 'firmware' | 'ipxe'
  /** UEFI HTTP boot (vendor class `HTTPClient`). */
  http: boolean
}

/** What the boot side wants DHCP to say. `reasons` are sentences for people, in the order in which they were decided. */
export type BootAdvice =
  | { kind: 'silent'; reasons: string[] }
  /** `file` is a TFTP path for firmware, an URL for iPXE and UEFI HTTP boot; `server` is where TFTP listens. */
  | { kind: 'file'; file: string; server: Ipv4; reasons: string[] }

/** Option 93 (RFC 4578 §2.1; IANA registry "Processor Architecture Types") in words. HTTP boot has numbers of its own. */
export function platformOf(arch: number | undefined): Platform {
  switch (arch) {
    case undefined:
      return 'unknown'
    case 0x00:
      return 'bios-x86'
    case 0x06:
    case 0x0f:
      return 'uefi-x86'
    case 0x07:
    case 0x09: // EBC; firmware that means x86-64 sends it too (netboot, "pixiecore": seen on real machines)
    case 0x10:
      return 'uefi-x86_64'
    case 0x0a:
    case 0x12:
      return 'uefi-arm32'
    case 0x0b:
    case 0x13:
      return 'uefi-arm64'
    default:
      return 'unknown'
  }
}
