import type { LocalRecord } from '@bridgehead/shared/dns/records.ts'
import { originOf, soa, type Zone } from '@bridgehead/shared/dns/zone.ts'
import { RCODE, TYPE } from '@bridgehead/shared/wire/dns.ts'

/** What the site knows of a question. */
export type Answer =
  | { kind: 'local'; rcode: number; answers: LocalRecord[]; authorities: LocalRecord[] }
  /** A name of ours that is an alias of a foreign one: `answers` so far, and the name that forwarders must be asked for. */
  | { kind: 'alias'; answers: LocalRecord[]; target: string }
  /** None of ours. */
  | { kind: 'forward' }

const MAX_ALIASES = 8

/** Pure: RFC 1034 §4.3.2 over the site's names. `name` is lower case without the last dot. */
export function answer(zone: Zone, name: string, type: number): Answer {
  const answers: LocalRecord[] = []
  let current = name
  for (let hops = 0; hops <= MAX_ALIASES; hops++) {
    const origin = originOf(zone, current)
    const found = zone.names.get(current) ?? wildcard(zone, current, origin)
    if (!found) {
      if (origin === undefined) return hops === 0 ? { kind: 'forward' } : { kind: 'alias', answers, target: current }
      const rcode = zone.inner.has(current) || zone.origins.has(current) ? RCODE.NOERROR : RCODE.NXDOMAIN
      return { kind: 'local', rcode, answers, authorities: [soa(origin, zone.serial)] }
    }
    const alias = found.find((record) => record.type === TYPE.CNAME)
    if (alias?.domain !== undefined && type !== TYPE.CNAME && type !== TYPE.ANY) {
      answers.push(alias)
      current = alias.domain
      continue
    }
    const matching = type === TYPE.ANY ? found : found.filter((record) => record.type === type)
    answers.push(...matching)
    // no such record for a name that exists: NODATA (RFC 2308 §2.2)
    return { kind: 'local', rcode: RCODE.NOERROR, answers, authorities: matching.length > 0 ? [] : [soa(origin ?? current, zone.serial)] }
  }
  return { kind: 'local', rcode: RCODE.SERVFAIL, answers: [], authorities: [] } // aliases in a circle
}

/** The closest `*.` above a name that does not exist (RFC 4592 §3.3.1), given the asked name. */
function wildcard(zone: Zone, name: string, origin: string | undefined): LocalRecord[] | undefined {
  if (origin === undefined || zone.inner.has(name)) return undefined
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const above = name.slice(dot + 1)
    const star = zone.names.get(`*.${above}`)
    if (star) return star.map((record) => ({ ...record, name }))
    if (above === origin || zone.inner.has(above) || zone.names.has(above)) return undefined // the closest encloser has no star
  }
  return undefined
}
