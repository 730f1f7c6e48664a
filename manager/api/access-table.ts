import { putTestImage } from '../appliances/test-image.ts'
import { newBox } from '../harness.ts'
import type { WholeApi } from './whole-api.ts'

/** For `access.test.ts`: things of organisation `acme`, one of each kind, by their ids. */
export type Things = Record<(typeof KINDS)[number], string>
const KINDS = [
  ...(['site', 'token', 'box', 'host', 'rule', 'key', 'script', 'profile', 'run', 'image', 'build', 'media', 'link'] as const),
  ...(['applianceImage', 'ticket', 'release', 'rollout', 'apiKey', 'member', 'invitation'] as const),
] as const

/**
 * What an operation is to somebody of another organisation.
 * - `open`: the token, code or ticket in the request is the right to it.
 * - `own`: it tells of the sender's own, or makes something, and names nothing that is there.
 * - `empty`: a list, which is empty for them.
 * - `names`: a path of a thing, which is not there for them. `mine`: what its owner is answered, where that is 404, too.
 * - `refers`: its body names a thing, which is no such thing for them.
 */
export type Row =
  | 'open'
  | 'own'
  | 'empty'
  | { names: (things: Things) => string; body?: unknown; mine?: 404 }
  | { refers: (things: Things) => unknown }

const MAC = '52:54:00:00:00:02'
const artifact = (name: string) => ({ sha256: 'a'.repeat(64), bytes: 1, name })
const site = (rest = '') => ({ names: ({ site }: Things) => `/sites/${site}${rest}` })
const host = (rest = '') => ({ names: ({ host }: Things) => `/hosts/${host}${rest}` })
const made = (kind: 'image' | 'build' | 'media' | 'applianceImage', path: string, rest = '') => ({
  names: (things: Things) => `/${path}/${things[kind]}${rest}`,
})
const SCRIPT = { name: 'other', kind: 'bash', text: 'id' }
const profile = (more: object = {}) => ({ name: 'other', targets: { x86_64: { kernel: artifact('k'), initrd: artifact('i') } }, ...more })

/** Every operation below `/api/v1`. One that is not here fails the test. */
export const TABLE: Readonly<Record<string, Row>> = {
  'POST /enrol': 'open',
  'GET /whoami': 'own',
  'GET /session': 'own',
  'POST /session': 'open',
  'POST /session/signout': 'own',
  'POST /session/password': 'own',
  'GET /api-keys': 'own',
  'POST /api-keys': 'own',
  'DELETE /api-keys/{id}': { names: ({ apiKey }) => `/api-keys/${apiKey}` },
  'GET /members': 'own',
  'PATCH /members/{id}': { names: ({ member }) => `/members/${member}`, body: { role: 'member' } },
  'DELETE /members/{id}': { names: ({ member }) => `/members/${member}` },
  'GET /members/invitations': 'empty',
  'POST /members/invitations': 'own',
  'DELETE /members/invitations/{id}': { names: ({ invitation }) => `/members/invitations/${invitation}` },
  'GET /invitations/{code}': 'open',
  'POST /invitations/{code}': 'open',
  'GET /audit': 'own',

  'GET /sites': 'empty',
  'POST /sites': 'own',
  'GET /sites/{id}': site(),
  'PATCH /sites/{id}': { ...site(), body: { tags: {} } },
  'DELETE /sites/{id}': site(),
  'GET /sites/{id}/state': site('/state'),
  'GET /sites/{id}/tokens': site('/tokens'),
  'POST /sites/{id}/tokens': { ...site('/tokens'), body: {} },
  'DELETE /sites/{id}/tokens/{token}': { names: ({ site, token }) => `/sites/${site}/tokens/${token}` },
  'GET /sites/{id}/pending': site('/pending'),
  'POST /sites/{id}/pending/{box}/approve': { names: ({ site, box }) => `/sites/${site}/pending/${box}/approve` },
  'DELETE /sites/{id}/pending/{box}': { names: ({ site, box }) => `/sites/${site}/pending/${box}`, mine: 404 }, // it was approved by then
  'POST /sites/{id}/claim': { ...site('/claim'), body: { code: 'AAAA-AAAA' }, mine: 404 }, // no box shows that
  'GET /sites/{id}/leases': site('/leases'),
  'GET /sites/{id}/names': site('/names'),
  'GET /sites/{id}/services': site('/services'),

  'GET /hosts': 'empty',
  'POST /hosts': { refers: ({ site }) => ({ site, name: 'n2', macs: [MAC] }) },
  'GET /hosts/{id}': host(),
  'PATCH /hosts/{id}': { ...host(), body: { tags: {} } },
  'DELETE /hosts/{id}': host(),
  'POST /hosts/{id}/intent': { ...host('/intent'), body: { kind: 'local-disk' } },
  'DELETE /hosts/{id}/intent': host('/intent'),
  'GET /hosts/{id}/explain': host('/explain'),
  'GET /hosts/{id}/timeline': host('/timeline'),
  'GET /rules': 'empty',
  'POST /rules': { refers: ({ profile }) => ({ name: 'second', profile }) },
  'PUT /rules/{id}': { names: ({ rule }) => `/rules/${rule}`, body: { name: 'mine' } },
  'DELETE /rules/{id}': { names: ({ rule }) => `/rules/${rule}` },
  'GET /keys': 'empty',
  'POST /keys': 'own',
  'DELETE /keys/{id}': { names: ({ key }) => `/keys/${key}` },

  'GET /scripts': 'empty',
  'POST /scripts': 'own',
  'GET /scripts/{id}': { names: ({ script }) => `/scripts/${script}` },
  'PUT /scripts/{id}': { names: ({ script }) => `/scripts/${script}`, body: { ...SCRIPT, name: 'hello' } },
  'DELETE /scripts/{id}': { names: ({ script }) => `/scripts/${script}` },
  'GET /scripts/{id}/versions': { names: ({ script }) => `/scripts/${script}/versions` },
  'POST /scripts/{id}/render': { names: ({ script }) => `/scripts/${script}/render`, body: {} },
  'GET /profiles': 'empty',
  'POST /profiles': { refers: ({ script }) => profile({ postInstall: script }) },
  'GET /profiles/{id}': { names: ({ profile }) => `/profiles/${profile}` },
  'PUT /profiles/{id}': { names: (things) => `/profiles/${things.profile}`, body: { ...profile(), name: 'debian' } },
  'DELETE /profiles/{id}': { names: ({ profile }) => `/profiles/${profile}` },
  'GET /profiles/{id}/versions': { names: ({ profile }) => `/profiles/${profile}/versions` },
  'GET /runs': 'empty',
  'POST /runs': { refers: ({ host }) => ({ text: 'id', hosts: [host] }) },
  'GET /runs/{id}': { names: ({ run }) => `/runs/${run}` },
  'GET /events': { names: ({ site }) => `/events?follow=false&site=${site}` },

  'GET /appliance-images/download/{ticket}': 'open',
  'GET /appliance-images': 'empty',
  'POST /appliance-images': 'own',
  'GET /appliance-images/{hash}': made('applianceImage', 'appliance-images'),
  'DELETE /appliance-images/{hash}': made('applianceImage', 'appliance-images'),
  'GET /appliance-images/{hash}/progress': made('applianceImage', 'appliance-images', '/progress'),
  'POST /appliance-images/{hash}/cancel': made('applianceImage', 'appliance-images', '/cancel'),
  'GET /appliance-images/{hash}/files/{file}': made('applianceImage', 'appliance-images', '/files/sbom'),
  'POST /appliance-images/files': 'own',
  'POST /appliance-images/import': 'own',
  'POST /appliance-images/{hash}/tickets': { ...made('applianceImage', 'appliance-images', '/tickets'), body: {} },
  'POST /sites/{id}/image-tickets': { ...site('/image-tickets'), body: {} },
  'GET /image-tickets': 'empty',
  'DELETE /image-tickets/{id}': { names: ({ ticket }) => `/image-tickets/${ticket}` },
  'GET /releases': 'empty',
  'POST /releases': { refers: ({ applianceImage }) => ({ image: applianceImage }) },
  'GET /releases/{id}': { names: ({ release }) => `/releases/${release}` },
  'GET /rollouts': 'empty',
  'POST /rollouts': { refers: ({ release }) => ({ release }) },
  'GET /rollouts/{id}': { names: ({ rollout }) => `/rollouts/${rollout}` },
  'POST /rollouts/{id}/pause': { names: ({ rollout }) => `/rollouts/${rollout}/pause` },
  'POST /rollouts/{id}/resume': { names: ({ rollout }) => `/rollouts/${rollout}/resume` },
  'POST /rollouts/{id}/stop': { names: ({ rollout }) => `/rollouts/${rollout}/stop` },
  'POST /rollouts/{id}/sites/{site}/skip': { names: ({ rollout, site }) => `/rollouts/${rollout}/sites/${site}/skip` },

  'GET /images': 'empty',
  'POST /images': 'own',
  'GET /images/{hash}': made('image', 'images'),
  'DELETE /images/{hash}': made('image', 'images'),
  'GET /images/{hash}/progress': made('image', 'images', '/progress'),
  'POST /images/{hash}/cancel': made('image', 'images', '/cancel'),
  'GET /builds': 'empty',
  'POST /builds': 'own',
  'GET /builds/{hash}': made('build', 'builds'),
  'DELETE /builds/{hash}': made('build', 'builds'),
  'GET /builds/{hash}/progress': made('build', 'builds', '/progress'),
  'POST /builds/{hash}/cancel': made('build', 'builds', '/cancel'),
  'GET /builds/{hash}/log': made('build', 'builds', '/log'),
  'GET /builds/{hash}/provenance': { ...made('build', 'builds', '/provenance'), mine: 404 }, // it is not ready
  'POST /sources': 'own',
  'GET /media': 'empty',
  'POST /media': { refers: ({ site }) => ({ site, outputs: ['iso'] }) },
  'GET /media/{hash}': made('media', 'media'),
  'DELETE /media/{hash}': made('media', 'media'),
  'GET /media/{hash}/progress': made('media', 'media', '/progress'),
  'POST /media/{hash}/cancel': made('media', 'media', '/cancel'),
  'GET /media/{hash}/signature': made('media', 'media', '/signature'),
  'GET /media/{hash}/files/{file}': made('media', 'media', '/files/boot.iso'),
  'GET /media/{hash}/links': made('media', 'media', '/links'),
  'POST /media/{hash}/links': { ...made('media', 'media', '/links'), body: { file: 'boot.iso' } },
  'DELETE /media/{hash}/links/{code}': { names: ({ media, link }) => `/media/${media}/links/${link}` },
}

/** Makes one of each. `ask` asks as their owner. */
export async function makeThings(api: WholeApi, apiKey: string): Promise<Things> {
  const { acme } = api.organisations
  const make = async (path: string, body: unknown, as: string | null = apiKey) => {
    const { status, body: answer } = await api.ask(as, 'POST', path, body)
    if (status >= 300) throw new Error(`POST ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const list = async (path: string) => (await api.ask(apiKey, 'GET', path)).body.items

  const lans = [{ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'serve' }]
  const { id: site } = await make('/sites', { name: 'berlin', lans })
  const token = await make(`/sites/${site}/tokens`, {})
  for (const serial of ['box-1', 'box-2']) await make('/enrol', await newBox(serial).request(token.config.token), null)
  const { harness, bucket, links } = api
  const started = { version: '1.0.0', sshPublicKey: 'ssh-ed25519 AAAA', board: 'x86_64', slot: 'A' as const, image: '1.0.0' }
  await harness.manager.ingest(site, [harness.fact('appliance.started', started)])
  const host = await make('/hosts', { site, name: 'n1', macs: ['52:54:00:00:00:01'] })
  await make('/scripts', { ...SCRIPT, name: 'kept' })
  const media = await make('/media', { site, outputs: ['iso'] })
  const { manifest } = await putTestImage(bucket)
  const image = await make('/appliance-images/import', manifest)
  const release = await make('/releases', { image: image.hash })
  const blob = Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIPJ2mB5M1Hn7cBvOeV3zJvQm6x2Lz0y2lV0cJ4Qm0m9c', 'base64').toString('base64')
  return {
    site,
    token: token.id,
    box: (await list(`/sites/${site}/pending`))[0].id,
    host: host.id,
    rule: (await make('/rules', { name: 'all' })).id,
    key: (await make('/keys', { name: 'ada', publicKey: `ssh-ed25519 ${blob} ada` })).id,
    script: (await make('/scripts', { ...SCRIPT, name: 'hello' })).id,
    profile: (await make('/profiles', { ...profile(), name: 'debian' })).id,
    run: (await make('/runs', { text: 'true', hosts: [host.id] })).id,
    image: (await make('/images', { kernel: 'cloud' })).hash,
    build: (await make('/builds', { builder: 'grub', targets: ['i386-pc/grub.pxe'] })).hash,
    media: media.hash,
    link: (await links.add({ organisation: acme, hash: media.hash, file: artifact('boot.iso'), expiresAt: Date.now() + 60_000 })).code,
    applianceImage: image.hash,
    ticket: (await make(`/appliance-images/${image.hash}/tickets`, {})).id,
    release: release.id,
    rollout: (await make('/rollouts', { release: release.id })).id,
    apiKey: (await make('/api-keys', { name: 'to be deleted', scopes: [] })).id,
    member: (await list('/members'))[0].id,
    invitation: (await make('/members/invitations', { email: 'guest@example.com', role: 'member' })).id,
  }
}
