import type { BootClient } from '@bridgehead/shared/boot/client.ts'
import type { BootStage } from '@bridgehead/shared/model/event.ts'
import { BootStage as STAGES } from '@bridgehead/shared/model/event.ts'
import type { BootRow } from './records.ts'

const order = (stage: BootStage) => STAGES.options.indexOf(stage)

/** A machine that repeats itself this long after it was last heard has started again. */
const REPEAT_MS = 30_000
/** iPXE may take this long from the firmware's last word to its own first one. */
const CHAIN_MS = 180_000

/**
 * Whether a request begins a new boot, or goes on with `last`. Firmware begins one, unless it only repeats itself;
 * iPXE goes on with the boot that loaded it, unless it lies in the machine's ROM and nothing came before. Pure.
 */
export function beginsBoot(client: Pick<BootClient, 'stage'>, asks: 'address' | 'script', last: BootRow | undefined, now: number): boolean {
  if (!last || last.finished) return true
  const age = now - last.last
  if (asks === 'script') return age > CHAIN_MS // a machine that waits for approval asks again and again
  if (client.stage === 'firmware') return order(last.stage) > order('ack') || age > REPEAT_MS
  return order(last.stage) > order('loader') || age > CHAIN_MS
}

/** The later of two stages: a repeated DISCOVER must not take a boot back. */
export function laterStage(a: BootStage, b: BootStage): BootStage {
  return order(b) > order(a) ? b : a
}

export const isAfter = (a: BootStage, b: BootStage) => order(a) > order(b)
