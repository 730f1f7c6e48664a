import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { runScript } from '../lab/follow.ts'
import { installLightHost, lightTarget } from '../lab/light-host.ts'
import { waitFor } from '../lab/wait.ts'
import { needRight, withStack } from './rig.ts'

const directory = mkdtempSync(join(tmpdir(), 'bridgehead-two-sites-'))
afterAll(() => rmSync(directory, { recursive: true }))

const Hosts = z.object({
  items: z.array(z.object({ name: z.string(), siteName: z.string(), status: z.string(), address: z.string().optional() })),
})

test('two sites with one subnet: a script for one of them never reaches the other, though both hosts have the same address', async () => {
  await needRight()
  const bucketDirectory = join(directory, 'bucket')
  const bucket = testBucket(bucketDirectory, systemClock)
  const target = await lightTarget(async (text, name) => {
    const { sha256 } = await bucket.put(Buffer.from(text), { name })
    return { sha256, bytes: Buffer.byteLength(text), name }
  })
  await withStack({ sites: 2, bucket: bucketDirectory, target }, async (stack) => {
    const { api, sites } = stack
    for (const site of sites)
      await installLightHost(stack, site.lab, {
        name: 'box',
        address: '192.168.1.50',
        mac: `52:54:00:aa:00:0${site.lab.index}`,
      })
    const hosts = await waitFor('both hosts to be ready', async () => {
      const { items } = await api.get('/hosts', Hosts)
      return items.filter((host) => host.status === 'ready').length === 2 ? items : undefined
    })
    expect(new Set(hosts.map((host) => host.address))).toEqual(new Set(['192.168.1.50']))

    const file = join(directory, 'ran')
    appendFileSync(file, '')
    const text = `echo "$BRIDGEHEAD_MARK" >>${file}; echo "$BRIDGEHEAD_MARK"`
    for (const { place, times } of [
      { place: 'site1', times: 5 },
      { place: 'site2', times: 5 },
    ])
      for (let time = 0; time < times; time++) {
        const runs = await runScript(api, { text, selector: `place=${place}` })
        expect(runs.map((run) => [run.exitCode, run.stdout])).toEqual([[0, `box.${place}\n`]])
      }
    const both = await runScript(api, { text, selector: 'place in (site1,site2)' })
    expect(both.map((run) => run.stdout).sort()).toEqual(['box.site1\n', 'box.site2\n'])

    const ran = readFileSync(file, 'utf8').trim().split('\n')
    expect(ran.filter((mark) => mark === 'box.site1')).toHaveLength(6)
    expect(ran.filter((mark) => mark === 'box.site2')).toHaveLength(6)
    expect(ran).toHaveLength(12)
  })
})
