import { PROTOCOL, SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { explain } from './explain.ts'

/** What the site runs on now. `payload` is a digest of the signed part, so that the same content under another signature is the same. */
export interface Applied {
  revision: number
  payload: string
}

export type StateVerdict =
  | { kind: 'new'; state: SiteState }
  /** What is applied already. */
  | { kind: 'same'; state: SiteState }
  | { kind: 'refused'; revision: number | undefined; why: string }

/** Whether a document whose signature was verified may become this site's state. Pure. */
export function judgeState(
  value: unknown,
  payload: string,
  { site, applied }: { site: string; applied: Applied | undefined },
): StateVerdict {
  const revision = revisionOf(value)
  const refuse = (why: string): StateVerdict => ({ kind: 'refused', revision, why })
  const protocol = z.object({ protocol: z.int() }).safeParse(value)
  if (protocol.success && protocol.data.protocol > PROTOCOL)
    return refuse(`written in protocol ${protocol.data.protocol}; this appliance speaks ${PROTOCOL} and must be updated first`)
  const parsed = SiteState.safeParse(value)
  if (!parsed.success) return refuse(explain(parsed.error))
  const state = parsed.data
  if (state.site !== site) return refuse(`meant for site ${state.site}; this is ${site}`)
  if (applied && state.revision < applied.revision)
    return refuse(`revision ${state.revision} is older than ${applied.revision}, which is applied`)
  if (applied && state.revision === applied.revision)
    return payload === applied.payload ? { kind: 'same', state } : refuse(`revision ${state.revision} was applied with other content`)
  return { kind: 'new', state }
}

function revisionOf(value: unknown): number | undefined {
  const parsed = z.object({ revision: z.int() }).safeParse(value)
  return parsed.success ? parsed.data.revision : undefined
}
