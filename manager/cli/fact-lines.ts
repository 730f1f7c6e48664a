import { factWords } from '@bridgehead/shared/text/fact.ts'
import type { Manager } from './api.ts'
import type { Fact } from './fact-stream.ts'
import { Failure } from './failure.ts'
import { printable } from './print.ts'

/** Names of sites and hosts for facts, which carry ids; each is asked for once. */
export async function createFactLines({ api }: Manager): Promise<(fact: Fact) => Promise<string>> {
  const { items } = await (await api.sites.sites.$get({ query: {} })).json()
  const sites = new Map(items.map((site) => [site.id, site.name]))
  const hosts = new Map<string, Promise<string>>()
  const hostName = async (id: string) => {
    try {
      return (await (await api.hosts.hosts[':id'].$get({ param: { id } })).json()).name
    } catch (error) {
      if (error instanceof Failure && (error.code === 'not-found' || error.code === 'forbidden')) return id // forgotten, or not for this key
      throw error
    }
  }
  return async ({ at, site, host, kind, event }) => {
    if (host !== undefined && !hosts.has(host)) hosts.set(host, hostName(host))
    const who = [sites.get(site) ?? site, ...(host === undefined ? [] : [await hosts.get(host)])].join('/')
    const time = new Date(at).toISOString().slice(0, 19).replace('T', ' ')
    return printable(`${time}  ${who}  ${event ? factWords(event) : `${kind} (newer than this command, which cannot say more)`}`)
  }
}
