import { timingSafeEqual } from 'node:crypto'
import type { Log } from '@bridgehead/shared/log.ts'
import { type ArtifactRef, artifactsOf, type SiteState } from '@bridgehead/shared/model/state.ts'
import { Hono } from 'hono'
import { Problem } from '../engines/http/problem.ts'
import type { Db } from '../engines/store/store.ts'
import { sha256 } from './appliances.ts'

export interface UplinkDeps {
  db: Db
  /** Path of a URL that anybody may GET for a while; undefined when the bucket has no such object. */
  presign(sha256: string, name: string): Promise<string | undefined>
  /** What may be fetched for the release that a state names. */
  artifactsOfRelease(jws: string): ArtifactRef[]
  log: Log
}

/** `GET /artifacts/{sha256}` for appliances: basic auth with site id and secret, then on to the bucket. Only what the site's state names. */
export function uplinkRoutes({ db, presign, artifactsOfRelease, log }: UplinkDeps) {
  return new Hono().get('/artifacts/:sha256', async (c) => {
    const site = await siteOf(db, c.req.header('authorization'))
    const wanted = c.req.param('sha256')
    const row = await db.selectFrom('site_states').select('state').where('site', '=', site).executeTakeFirst()
    const state = row?.state ? (JSON.parse(row.state) as SiteState) : undefined
    const release = state?.appliance?.release
    const named = [...(state ? artifactsOf(state) : []), ...(release ? artifactsOfRelease(release.jws) : [])]
    const ref = named.find((one) => one.sha256 === wanted)
    if (!ref) throw new Problem('not-entitled', `the state of this site names no artifact "${wanted}"`)
    const url = await presign(ref.sha256, ref.name)
    if (url === undefined) {
      log.error('artifact.missing', { site, sha256: ref.sha256, name: ref.name })
      throw new Problem('not-found', `the bucket has lost artifact ${ref.name} (${ref.sha256}); build it again`)
    }
    return c.redirect(url, 302)
  })
}

/** The site that these credentials are of. Throws `unauthenticated`. */
async function siteOf(db: Db, authorization: string | undefined): Promise<string> {
  const refused = new Problem('unauthenticated', 'expected basic authentication with the site id and its secret', {
    headers: { 'www-authenticate': 'Basic realm="bridgehead"' },
  })
  const encoded = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) throw refused
  const [site = '', secret = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(/:(.*)/s)
  const row = await db.selectFrom('appliances').select('secret_sha256').where('site', '=', site).executeTakeFirst()
  if (!row || !timingSafeEqual(Buffer.from(sha256(secret), 'hex'), Buffer.from(row.secret_sha256, 'hex'))) throw refused
  return site
}
