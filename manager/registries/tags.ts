import type { Tags } from '@bridgehead/shared/model/tags.ts'

/** What a selector sees of a host: the site's tags, its own over them, and `site=<name>`, which nobody can set. */
export function effectiveTags(site: { name: string; tags: Tags }, host: { tags: Tags }): Tags {
  return { ...site.tags, ...host.tags, site: site.name }
}
