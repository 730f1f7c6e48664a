import { EnrolAnswer, EnrolPending, EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'
import { body, json, newApp, operation } from '../engines/http/app.ts'
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

export function enrolRoutes({ appliances }: { appliances: Appliances }) {
  return newApp().openapi(enrol, async (c) => {
    const answer = await appliances.enrol(c.req.valid('json'), await c.req.json())
    c.header('cache-control', 'no-store')
    return 'pending' in answer ? c.json(answer, 202) : c.json(answer, 200)
  })
}
