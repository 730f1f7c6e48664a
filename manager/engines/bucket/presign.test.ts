import { expect, test } from 'vitest'
import { createPresigner } from './presign.ts'

const presigner = createPresigner(new Uint8Array(32).fill(1))
const sha256 = 'ab'.repeat(32)
const good = presigner.sign(sha256, { expiresAt: 60_000, name: 'disk.img.zst' })

test.each([
  { text: 'as it was made', url: good, now: 59_999, ok: true },
  { text: 'with a host in front', url: `http://[fd00::1]:8480${good}`, now: 0, ok: true },
  { text: 'at the moment it expires', url: good, now: 60_000, ok: false, why: 'expired at 1970-01-01T00:01:00.000Z' },
  { text: 'for another object', url: good.replace('ab', 'cd'), now: 0, ok: false, why: 'signature' },
  { text: 'made to last', url: good.replace('expires=60', 'expires=600'), now: 0, ok: false, why: 'signature' },
  { text: 'given another name', url: good.replace('disk', 'evil'), now: 0, ok: false, why: 'signature' },
  { text: 'without its signature', url: good.replace(/&signature=.*/, ''), now: 0, ok: false, why: 'signature' },
  { text: 'with half its signature', url: good.slice(0, -5), now: 0, ok: false, why: 'signature' },
  { text: 'with an odd path', url: good.replace('/bucket/', '/bucket/../'), now: 0, ok: false, why: '/bucket/' },
  {
    text: 'signed with another key',
    url: createPresigner(new Uint8Array(32)).sign(sha256, { expiresAt: 60_000 }),
    now: 0,
    ok: false,
    why: 'signature',
  },
])('a URL $text: $ok', ({ url, now, ok, why }) => {
  const answer = presigner.verify(url, now)
  expect(answer.ok).toBe(ok)
  if (answer.ok) expect(answer).toMatchObject({ sha256, name: 'disk.img.zst' })
  else expect(answer.why).toContain(why)
})

test('short keys, odd names and odd hashes are refused', () => {
  expect(() => createPresigner(new Uint8Array(31))).toThrow('32')
  expect(() => presigner.sign(sha256, { expiresAt: 0, name: 'a"b' })).toThrow('name')
  expect(() => presigner.sign('..', { expiresAt: 0 })).toThrow('sha256')
})
