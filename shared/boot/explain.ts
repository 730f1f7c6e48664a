import type { Ipv4, Mac } from '../model/address.ts'
import type { Platform, SiteState } from '../model/state.ts'
import { type BootDecision, type BootHost, decideBoot } from './decide.ts'
import { bootScript, scriptVariables } from './scripts.ts'

export interface Explanation {
  /** What the firmware would be told when it asks for an address. */
  firmware: Pick<BootDecision, 'step' | 'reasons'>
  /** What iPXE would be told when it comes back for its script. */
  script: Pick<BootDecision, 'goal' | 'reasons'> & { text: string }
}

/** What the site would answer this machine now, and why, without a packet being sent. Secrets of a real boot are shown as `<...>`. */
export function explainBoot(input: {
  state: SiteState
  host: BootHost | undefined
  mac: string
  platform: Platform
  http: boolean
  server: Ipv4
  tags: Record<string, string>
}): Explanation {
  const { state, host, mac, platform, http, server, tags } = input
  const client = { mac: mac as Mac, platform, stage: 'firmware' as const, http }
  const firmware = decideBoot({ state, host, client, asks: 'address' })
  const script = decideBoot({ state, host, client: { ...client, stage: 'ipxe' }, asks: 'script' })
  const variables = scriptVariables({
    server: `http://${server}`,
    state,
    host,
    mac,
    platform,
    tags,
    goal: script.goal,
    boot: { id: '<boot>', token: '<token>' },
  })
  return {
    firmware: { step: firmware.step, reasons: firmware.reasons },
    script: { goal: script.goal, reasons: script.reasons, text: bootScript(script.goal, state, variables) },
  }
}
