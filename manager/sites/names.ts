import type { LocalRecord } from '@bridgehead/shared/dns/records.ts'
import { buildZone, type DnsConfig, type ZoneProblem } from '@bridgehead/shared/dns/zone.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { TYPE } from '@bridgehead/shared/wire/dns.ts'
import { z } from 'zod'

export const SiteName = z.object({
  /** Whole, without the last dot. */
  name: z.string(),
  type: z.enum(['A', 'AAAA', 'CNAME', 'NS', 'PTR', 'SRV', 'TXT']),
  value: z.string(),
  /** Who has it; absent: the appliance itself. */
  from: z.enum(['host', 'record', 'lease']).optional(),
})
export type SiteName = z.infer<typeof SiteName>

type Holder = { name: string; ip: string | undefined; lease: boolean }

/** What the DNS of a site says, by the appliance's own rules; `problems` are records and names that it leaves out. Pure. */
export function siteNames(
  state: Pick<SiteState, 'lans' | 'dns'>,
  holders: readonly Holder[],
): { items: SiteName[]; problems: ZoneProblem[] } {
  const names: DnsConfig['names'] = holders.flatMap(({ name, ip, lease }) => {
    const address = Ipv4.safeParse(ip).data
    return address === undefined ? [] : [{ name, ip: address, lease }]
  })
  const { zone, problems } = buildZone({ lans: state.lans, ...state.dns, names }, 0)
  const items = [...zone.names.values()].flat().flatMap((record) => {
    const type = SiteName.shape.type.safeParse(TYPE_NAMES.get(record.type)).data
    const { name, from } = record
    return type === undefined ? [] : [{ name, type, value: valueText(record), ...(from ? { from } : {}) }]
  })
  return { items: items.sort(byName), problems }
}

const TYPE_NAMES = new Map<number, string>(Object.entries(TYPE).map(([name, number]) => [number, name]))

function valueText({ address, domain, ns, data, priority, weight, port, target }: LocalRecord): string {
  return address ?? domain ?? ns ?? data?.join('') ?? [priority, weight, port, target].join(' ')
}

/** Forward names before reverse ones, each by the alphabet. */
function byName(a: SiteName, b: SiteName): number {
  const reverse = Number(a.type === 'PTR') - Number(b.type === 'PTR')
  return reverse || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}
