import { expect, test } from 'vitest'
import { claimRoutes } from './claim-routes.ts'

const SITES = {
  items: [
    { id: 'one', name: 'berlin' },
    { id: 'two', name: '<b>paris</b>', appliance: {} },
  ],
}
const asked: { path: string; init: RequestInit }[] = []
const app = claimRoutes((path, init) => {
  asked.push({ path, init })
  const { cookie } = init.headers as Record<string, string>
  if (cookie !== 'session=good') return Response.json({ title: 'unauthorized' }, { status: 401 })
  if (path === '/api/v1/sites') return Response.json(SITES)
  if (String(init.body).includes('WRNG')) return Response.json({ detail: 'no box shows the code "WRNG-CODE"' }, { status: 404 })
  return new Response(null, { status: 204 })
})
const signedIn = { cookie: 'session=good' }
const post = (code: string, site: string, headers: Record<string, string>) =>
  app.request(`http://manager.example/claim/${code}`, {
    method: 'POST',
    body: new URLSearchParams({ site }),
    headers: { origin: 'http://manager.example', ...headers },
  })

test('whoever is not signed in comes back after signing in', async () => {
  const answer = await app.request('/claim/K7QF-2M9D')
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/signin?next=%2Fclaim%2FK7QF-2M9D'])
})

test('the page shows the code and the sites, and escapes what people called them', async () => {
  const text = await (await app.request('/claim/K7QF-2M9D', { headers: signedIn })).text()
  expect(text).toContain('Claim K7QF-2M9D')
  expect(text).toContain('<option value="one">berlin</option>')
  expect(text).toContain('&lt;b&gt;paris&lt;/b&gt; (replaces its present box)')
})

test('the chosen site claims the box over the API, with the reader’s own rights', async () => {
  const answer = await post('K7QF-2M9D', 'one', signedIn)
  expect([answer.status, (await answer.text()).includes('Claimed')]).toEqual([200, true])
  expect(asked.at(-1)).toMatchObject({ path: '/api/v1/sites/one/claim', init: { method: 'POST', body: '{"code":"K7QF-2M9D"}' } })
})

test('a wrong code is said in the API’s words, and the sites are offered again', async () => {
  const answer = await post('WRNG-CODE', 'one', signedIn)
  const text = await answer.text()
  expect(answer.status).toBe(409)
  expect(text).toContain('no box shows the code')
  expect(text).toContain('berlin')
})

test('no other origin may send the form, and no path is made of a code', async () => {
  expect((await post('K7QF-2M9D', 'one', { ...signedIn, origin: 'https://evil.example' })).status).toBe(403)
  expect((await app.request('/claim/..%2Fsites', { headers: signedIn })).status).toBe(404)
})
