/**
 * Every operation that changes something, and its word in the audit log; `null`: it changes nothing although it is no GET. Words are
 * `thing.verb` and never change. A test finds operations of the API that are not here.
 */
export const ACTIONS: Readonly<Record<string, string | null>> = {
  'POST /setup': 'organisation.create',
  'POST /signin': 'session.start',
  'POST /api/auth/sign-in/email': 'session.start',
  'POST /session': 'session.start',
  'POST /session/signout': 'session.end',
  'POST /session/password': 'password.change',

  'POST /members/invitations': 'invitation.create',
  'DELETE /members/invitations/{id}': 'invitation.delete',
  'POST /invitations/{code}': 'member.join',
  'PATCH /members/{id}': 'member.change',
  'DELETE /members/{id}': 'member.delete',
  'POST /api-keys': 'api-key.create',
  'DELETE /api-keys/{id}': 'api-key.delete',

  'POST /sites': 'site.create',
  'PATCH /sites/{id}': 'site.change',
  'DELETE /sites/{id}': 'site.delete',
  'POST /sites/{id}/tokens': 'site.token.create',
  'DELETE /sites/{id}/tokens/{token}': 'site.token.delete',
  'POST /sites/{id}/pending/{box}/approve': 'site.box.approve',
  'DELETE /sites/{id}/pending/{box}': 'site.box.dismiss',
  'POST /sites/{id}/claim': 'site.box.claim',
  'POST /enrol': 'site.box.enrol',

  'POST /hosts': 'host.create',
  'PATCH /hosts/{id}': 'host.change',
  'DELETE /hosts/{id}': 'host.delete',
  'POST /hosts/{id}/intent': 'host.intent.set',
  'DELETE /hosts/{id}/intent': 'host.intent.delete',
  'POST /rules': 'rule.create',
  'PUT /rules/{id}': 'rule.change',
  'DELETE /rules/{id}': 'rule.delete',
  'POST /keys': 'ssh-key.create',
  'DELETE /keys/{id}': 'ssh-key.delete',

  'POST /scripts': 'script.create',
  'PUT /scripts/{id}': 'script.change',
  'DELETE /scripts/{id}': 'script.delete',
  'POST /scripts/{id}/render': null,
  'POST /profiles': 'profile.create',
  'PUT /profiles/{id}': 'profile.change',
  'DELETE /profiles/{id}': 'profile.delete',
  'POST /runs': 'run.create',

  'POST /images': 'image.build',
  'POST /images/{hash}/cancel': 'image.cancel',
  'DELETE /images/{hash}': 'image.delete',
  'POST /builds': 'build.start',
  'POST /builds/{hash}/cancel': 'build.cancel',
  'DELETE /builds/{hash}': 'build.delete',
  'POST /sources': 'source.upload',
  'POST /media': 'media.build',
  'POST /media/{hash}/cancel': 'media.cancel',
  'DELETE /media/{hash}': 'media.delete',
  'POST /media/{hash}/links': 'media.link.create',
  'DELETE /media/{hash}/links/{code}': 'media.link.delete',

  'POST /appliance-images': 'appliance-image.build',
  'POST /appliance-images/import': 'appliance-image.import',
  'POST /appliance-images/files': 'appliance-image.upload',
  'POST /appliance-images/{hash}/cancel': 'appliance-image.cancel',
  'DELETE /appliance-images/{hash}': 'appliance-image.delete',
  'POST /appliance-images/{hash}/tickets': 'appliance-image.ticket.create',
  'POST /sites/{id}/image-tickets': 'site.ticket.create',
  'DELETE /image-tickets/{id}': 'ticket.delete',
  'POST /releases': 'release.create',
  'POST /rollouts': 'rollout.create',
  'POST /rollouts/{id}/pause': 'rollout.pause',
  'POST /rollouts/{id}/resume': 'rollout.resume',
  'POST /rollouts/{id}/stop': 'rollout.stop',
  'POST /rollouts/{id}/sites/{site}/skip': 'rollout.site.skip',
}

/** By method and route as the router has them: `/api/v1/sites/:id`, or a path of its own. */
export function actionOf(method: string, route: string, path: string): string | undefined {
  const pattern = route.replace(/^\/api\/v1(?=\/)/, '').replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}')
  return ACTIONS[`${method} ${pattern}`] ?? ACTIONS[`${method} ${path}`] ?? undefined
}
