import { Hono } from 'hono'
import { z } from 'zod'
import { noteSender } from '../engines/http/audited.ts'
import { Problem, problemOf } from '../engines/http/problem.ts'
import type { Setup } from './setup.ts'

const Owner = z.strictObject({
  token: z.string().min(1).max(200),
  email: z.email({ error: 'expected an e-mail address' }).max(254),
  password: z.string().min(12, 'expected at least 12 characters').max(256),
  name: z.string().min(1).max(100),
  organisation: z.string().min(1).max(100),
  apiKey: z.boolean().default(false),
})

/** `/setup`, for the console's page and for scripts. Open, because the token in the link is the right to use it. */
export function setupRoutes({ setup }: { setup: Setup }) {
  return new Hono()
    .get('/setup', async (c) => {
      await setup.check(c.req.query('token') ?? '')
      return c.body(null, 204)
    })
    .post('/setup', async (c) => {
      const parsed = Owner.safeParse(await readJson(c.req))
      if (!parsed.success) throw problemOf(parsed.error)
      const done = await setup.spend(parsed.data)
      const { organisation: name, email } = parsed.data
      const actor = { kind: 'user' as const, id: done.user, name: email }
      noteSender(c, { organisation: done.organisation, actor, target: { id: done.organisation, name } })
      return c.json(done, 201, { 'cache-control': 'no-store' })
    })
}

async function readJson(request: { header(name: string): string | undefined; json(): Promise<unknown> }): Promise<unknown> {
  if (!/^application\/json/i.test(request.header('content-type') ?? ''))
    throw new Problem('content-type', 'expected content-type application/json')
  return request.json().catch((cause: unknown) => {
    throw new Problem('malformed-json', 'expected one JSON document', { cause })
  })
}
