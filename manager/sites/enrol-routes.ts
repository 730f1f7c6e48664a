import { EnrolAnswer, EnrolPending, EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { body, json, newApp, operation } from '../engines/http/app.ts'
import { noteSender } from '../engines/http/audited.ts'
import type { Appliances } from './appliances.ts'

const enrol = operation('open', {
  method: 'post',
  path: '/enrol',
  tags: ['enrolment'],
  summary: 'An appliance spends its token',
  description:
    'Open: the token is the right to use it. `proof` is the request without `proof`, signed with `signingKey`. Without a token the answer is a claim code, which a person types at `POST /sites/{id}/claim`; the box asks again meanwhile.',
  request: { body: body(EnrolRequest) },
  responses: {
    200: json(EnrolAnswer, 'The box is bound to its site. The secret is shown this once.'),
    202: json(EnrolPending, 'A person must approve this box (another one spent the token) or claim it (it has none). Ask again later.'),
  },
})

export interface EnrolDeps {
  appliances: Appliances
  organisationOf(site: string): Promise<string | undefined>
}

export function enrolRoutes({ appliances, organisationOf }: EnrolDeps) {
  return newApp().openapi(enrol, async (c) => {
    const request = c.req.valid('json')
    const answer = await appliances.enrol(request, await c.req.json())
    c.header('cache-control', 'no-store')
    if ('pending' in answer) return c.json(answer, 202)
    const { site, name } = answer
    const organisation = await organisationOf(site)
    const actor = { kind: 'appliance' as const, id: site, name: request.hardware.serial ?? name }
    if (organisation !== undefined) noteSender(c, { organisation, actor, target: { id: site, name } })
    return c.json(answer, 200)
  })
}
