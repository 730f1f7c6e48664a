import { expect, test } from 'vitest'
import { detailOf } from './detail.ts'

for (const { body, what, keeps } of [
  {
    what: 'a small change',
    body: { name: 'berlin', tags: { role: 'db' }, approved: true, ip: null },
    keeps: { name: 'berlin', tags: { role: 'db' }, approved: true, ip: null },
  },
  {
    what: 'passwords and tokens',
    body: { email: 'a@b.c', password: 'x', token: 't', nested: { wifi: { psk: 'p' } } },
    keeps: { email: 'a@b.c', password: '(not kept)', token: '(not kept)', nested: { wifi: { psk: '(not kept)' } } },
  },
  { what: 'how long a token lives', body: { tokenExpiresInSeconds: 60 }, keeps: { tokenExpiresInSeconds: 60 } },
  { what: 'a public key', body: { publicKey: 'ssh-ed25519 AAAA' }, keeps: { publicKey: 'ssh-ed25519 AAAA' } },
  { what: 'the login in an address', body: { proxy: 'http://me:secret@proxy:3128' }, keeps: { proxy: 'http://(not kept)@proxy:3128' } },
  { what: 'a script', body: { text: 'echo hunter2', vars: { pass: 'hunter2' } }, keeps: { text: '(12 characters)', vars: '(1 fields)' } },
  { what: 'the name of a script', body: { script: 'hello', selector: 'role=db' }, keeps: { script: 'hello', selector: 'role=db' } },
  { what: 'a long text', body: { note: 'x'.repeat(1_000) }, keeps: { note: `${'x'.repeat(200)}... (1000 characters)` } },
  {
    what: 'a long list',
    body: { macs: Array.from({ length: 30 }, (_, index) => index) },
    keeps: { macs: [...Array.from({ length: 20 }, (_, index) => index), 'and 10 more'] },
  },
  { what: 'no object', body: [1], keeps: {} },
  { what: 'nothing', body: undefined, keeps: {} },
])
  test(`of ${what}, an entry keeps what is no secret and short`, () => expect(detailOf(body)).toEqual(keeps))

test('an entry has a bound, whatever is sent', () => {
  const deep = Array.from({ length: 50 }).reduce<unknown>((inner) => ({ inner }), 'x')
  const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, 'x'.repeat(500)]))
  for (const body of [{ deep }, wide, { wide, also: wide }]) expect(JSON.stringify(detailOf(body)).length).toBeLessThan(5_000)
  expect(detailOf({ deep })).toEqual({ deep: { inner: { inner: { inner: { inner: '(1 fields)' } } } } })
})
