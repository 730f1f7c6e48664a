import type { Manager } from './api.ts'
import { Failure } from './failure.ts'
import type { Host } from './shapes.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A host by `name`, `site/name`, MAC address or id. Throws Failure, which names those that come near. */
export async function findHost({ api }: Manager, typed: string): Promise<Host> {
  if (UUID.test(typed)) return (await api.hosts.hosts[':id'].$get({ param: { id: typed } })).json()
  const [, site, name = typed] = /^([^/]+)\/(.+)$/.exec(typed) ?? []
  const { items } = await (await api.hosts.hosts.$get({ query: site === undefined ? {} : { site } })).json()
  const mac = name.toLowerCase().replaceAll('-', ':')
  const found = items.filter((host) => host.name === name || host.macs.includes(mac))
  const [only] = found
  if (only && found.length === 1) return only
  if (found.length > 1)
    throw new Failure(`${found.length} hosts are named "${name}"`, {
      code: 'ambiguous',
      usage: true,
      next: [`say which: ${found.slice(0, 5).map(addressOf).join(', ')}`],
    })
  const near = items.filter((host) => distance(host.name, name) <= Math.max(1, Math.floor(name.length / 4))).slice(0, 3)
  throw new Failure(`there is no host "${typed}"`, {
    code: 'not-found',
    next: [...(near.length > 0 ? [`perhaps ${near.map(addressOf).join(' or ')}?`] : []), 'bridgehead host ls'],
  })
}

export const addressOf = ({ siteName, name }: Host) => `${siteName}/${name}`

/** Letters to add, take away or change (Levenshtein 1965). */
export function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)))
    row = next
  }
  return row[other.length] ?? 0
}
