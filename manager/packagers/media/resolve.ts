import type { Source } from '../../builders/sources/source.ts'
import { invalidField, Problem } from '../../engines/http/problem.ts'
import { BundleError, type BundleOrder } from './bundle/order.ts'
import { planMedia } from './plan.ts'
import type { MediaRecipe, MediaTarget, ResolvedMedia, WayTaken } from './recipe.ts'

/** What only the manager knows. */
export interface Resolver {
  /** A site of this organisation, by id or name. */
  findSite(organisation: string, idOrName: string): Promise<{ id: string; name: string; lans: readonly { address: string }[] } | undefined>
  /** Writes the order for the output `bundle`; `site` is an id. Throws BundleError. */
  orderBundle(site: string): Promise<BundleOrder>
  /** Where this manager compiles iPXE from; left out, each worker tries its own places. */
  ipxeSources?(): Promise<Source[]>
}

/** A person's recipe with nothing left to look up. Throws Problem, naming each wrong field and what was expected. */
export async function resolveRecipe(
  recipe: MediaRecipe,
  organisation: string,
  resolver: Resolver,
): Promise<{ resolved: ResolvedMedia; ways: WayTaken[] }> {
  const target = await targetOf(recipe, organisation, resolver)
  const plan = planMedia({ recipe, target })
  if (plan.refusals.length > 0) {
    const errors = plan.refusals.flatMap(({ field, message }) => invalidField(field, message).errors)
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
    throw new Problem('invalid', `${errors[0]?.field}: ${errors[0]?.message}${more}`, { errors })
  }
  const ways = plan.platforms.map(({ platform, way, why, script }) => ({ platform, way, why, script }))
  const whole: ResolvedMedia = { recipe, target }
  if (recipe.outputs.includes('bundle') && target.kind === 'site') whole.bundle = await order(target.id, resolver)
  if (resolver.ipxeSources && ways.some(({ way }) => way === 'compiled')) whole.sources = await resolver.ipxeSources()
  return { resolved: whole, ways }
}

async function targetOf(recipe: MediaRecipe, organisation: string, { findSite }: Resolver): Promise<MediaTarget> {
  if (recipe.url !== undefined) return { kind: 'url', url: recipe.url }
  if (recipe.script !== undefined) return { kind: 'script', text: recipe.script.replaceAll('\r\n', '\n') }
  const idOrName = recipe.site ?? ''
  const site = await findSite(organisation, idOrName)
  if (!site) throw invalidField(['site'], `there is no site "${idOrName}"; expected the id or the name of a site`, 'reference-unknown')
  if (site.lans.length === 0)
    throw invalidField(['site'], `site "${site.name}" has no LAN yet, so that its appliance has no address to boot from; add one first`)
  return { kind: 'site', id: site.id, name: site.name, servers: site.lans.map(({ address }) => `http://${address}`) }
}

async function order(site: string, { orderBundle }: Resolver): Promise<BundleOrder> {
  try {
    return await orderBundle(site)
  } catch (error) {
    throw error instanceof BundleError ? new Problem('unavailable', error.message, { cause: error }) : error
  }
}
