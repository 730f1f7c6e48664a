import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { testBucket } from '../bucket/test-bucket.ts'
import { Asked, progressOf, requestsIn } from './requests.ts'
import type { JobStatus } from './status.ts'

const job = (change: Partial<JobStatus>): JobStatus => ({
  ...{ id: 'a', name: 'cake', state: 'waiting', fraction: 0, text: '', lines: [], createdAt: 0 },
  ...change,
})
const lost = 'it was lost, or the job queue was; ask for it again'

for (const { what, of, is } of [
  { what: 'what is there', of: 'ready' as const, is: { state: 'ready', fraction: 1, text: 'ready' } },
  { what: 'a waiting job', of: job({}), is: { state: 'waiting', fraction: 0, text: '' } },
  {
    what: 'a running job',
    of: job({ state: 'active', fraction: 0.5, text: 'baking' }),
    is: { state: 'making', fraction: 0.5, text: 'baking' },
  },
  { what: 'a failed job', of: job({ state: 'failed', error: 'burnt' }), is: { state: 'failed', fraction: 0, text: '', error: 'burnt' } },
  { what: 'a cancelled job', of: job({ state: 'cancelled' }), is: { state: 'cancelled', fraction: 0, text: '' } },
  { what: 'a job whose work has gone', of: job({ state: 'completed' }), is: { state: 'failed', fraction: 0, text: '', error: lost } },
  { what: 'a job that nobody remembers', of: undefined, is: { state: 'failed', fraction: 0, text: '', error: lost } },
])
  test(`${what} shows as ${is.state}`, () => expect(progressOf(of)).toEqual(is))

test('requests are kept by organisation, the first of each, newest first', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const bucket = testBucket(directory)
  const requests = requestsIn(bucket, 'cakes', Asked.extend({ flour: z.string() }))
  await requests.add('a', { hash: 'h1', requestedAt: 1, flour: 'rye' })
  await requests.add('a', { hash: 'h2', requestedAt: 2, flour: 'oat' })
  await requests.add('b', { hash: 'h1', requestedAt: 3, flour: 'rye' })
  expect(await requests.add('a', { hash: 'h1', requestedAt: 9, flour: 'rye' })).toMatchObject({ requestedAt: 1 })
  await bucket.putDocument('cakes/a/h3.json', { of: 'an older version' })
  expect((await requests.list('a')).map(({ hash }) => hash)).toEqual(['h2', 'h1'])
  await requests.remove('a', 'h1')
  expect([await requests.find('a', 'h1'), await requests.find('a', 'h3')]).toEqual([undefined, undefined])
  expect(await requests.find('b', 'h1')).toMatchObject({ requestedAt: 3 })
})
