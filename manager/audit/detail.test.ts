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
    body: { email: 'a@b.c', password: 'x', token: 't', uplink: { wifi: { ssid: 'shop', psk: 'p' } } },
    keeps: { email: 'a@b.c', password: '(not kept)', token: '(not kept)', uplink: { wifi: { ssid: 'shop', psk: '(not kept)' } } },
  },
  { what: 'how long a token lives', body: { tokenExpiresInSeconds: 60 }, keeps: { tokenExpiresInSeconds: 60 } },
  { what: 'a public key', body: { publicKey: 'ssh-ed25519 AAAA' }, keeps: { publicKey: 'ssh-ed25519 AAAA' } },
  { what: 'the login in an address', body: { proxy: 'http://me:secret@proxy:3128' }, keeps: { proxy: 'http://(not kept)@proxy:3128' } },
  { what: 'a script', body: { text: 'echo hunter2', vars: { pass: 'hunter2' } }, keeps: { text: '(12 characters)', vars: '(1 fields)' } },
  { what: 'the name of a script', body: { script: 'hello', selector: 'role=db' }, keeps: { script: 'hello', selector: 'role=db' } },
  { what: 'a long text', body: { name: 'x'.repeat(1_000) }, keeps: { name: `${'x'.repeat(200)}... (1000 characters)` } },
  {
    what: 'a long list',
    body: { macs: Array.from({ length: 30 }, (_, index) => index) },
    keeps: { macs: [...Array.from({ length: 20 }, (_, index) => index), 'and 10 more'] },
  },
  {
    what: 'fields that nobody has thought of yet',
    body: { passkey: 'x', oauth: { refresh: 'y' }, lans: [{ name: 'a', community: 'public' }], many: ['x', 'y'] },
    keeps: { passkey: '(not kept)', oauth: '(1 fields)', lans: [{ name: 'a', community: '(not kept)' }], many: '(2 items)' },
  },
  { what: 'tags, whatever they are called', body: { tags: { rack: 'r7', colour: 'red' } }, keeps: { tags: { rack: 'r7', colour: 'red' } } },
  {
    what: 'several addresses',
    body: { value: 'a http://u:p@b ftp://x@c/d?e f?g' },
    keeps: { value: 'a http://(not kept)@b ftp://(not kept)@c/d?(not kept) f?g' },
  },
  { what: 'a signed address', body: { url: 'https://a/b?sig=x&y=z' }, keeps: { url: 'https://a/b?(not kept)' } },
  { what: 'no object', body: [1], keeps: {} },
  { what: 'nothing', body: undefined, keeps: {} },
])
  test(`of ${what}, an entry keeps what is no secret and short`, () => expect(detailOf(body)).toEqual(keeps))

test('an entry has a bound, whatever is sent', () => {
  const deep = Array.from({ length: 50 }).reduce<unknown>((match) => ({ match }), 'x')
  const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, 'x'.repeat(500)]))
  for (const body of [{ lans: deep }, wide, { lans: wide, uplink: wide }]) expect(JSON.stringify(detailOf(body)).length).toBeLessThan(5_000)
  const began = performance.now()
  for (const text of ['x', '://', 'x:', '@', '?', ' ']) detailOf({ name: `://${text.repeat(500_000)}` })
  expect(performance.now() - began).toBeLessThan(10_000) // milliseconds; a pattern that goes back again and again would take minutes
  expect(detailOf({ lans: deep })).toEqual({ lans: { match: { match: { match: { match: '(1 fields)' } } } } })
})
