import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { formatBytes, formatMs } from '@bridgehead/shared/text/format.ts'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Home } from '../lab/box/home.ts'
import { applianceImage, type BoxImage, brokenImage, publish } from '../lab/box/images.ts'
import { followInstall } from '../lab/install.ts'
import { plugIn } from '../lab/machines.ts'
import { approveEverything } from '../lab/stack.ts'
import { waitFor } from '../lab/wait.ts'
import { awaitFact, rollOut, withHome } from './image-rig.ts'
import { createRig, say } from './rig.ts'

const Hash = z.object({ hash: z.string(), formats: z.array(z.string()).optional() })
const Ticket = z.object({ downloads: z.array(z.object({ format: z.string(), url: z.string() })) })

test('from the download to a box that installs machines, takes a good version and refuses to stay on a bad one', async () => {
  const rig = await createRig()
  const [first, second, bad] = [
    await applianceImage({ board: 'x86_64' }),
    await applianceImage({ board: 'x86_64', version: '0.1.1' }),
    await brokenImage('0.1.2'),
  ]
  await withHome('two-cards', async (home) => {
    await approveEverything(home.api, rig.images.target)
    const card = await downloaded(home, first)

    const box = await home.box({ board: 'bios-ahci', image: card })
    const began = Date.now()
    await box.powerOn()
    const { version } = await home.online(300_000, box)
    expect(version).toBe(first.version)
    say(`flashed and powered on: the site is green after ${formatMs(Date.now() - began)}`)

    const machine = await plugIn(home, { lab: home.place }, { firmware: 'bios', accelerator: rig.speed, bridge: home.bridge })
    const story = await followInstall(home.api, machine, { since: await machine.powerOn() })
    expect(story.status).toBe('ready')
    await machine.powerOff()

    const updated = Date.now()
    await rollOut(home, second)
    const committed = await awaitFact(home.api, `${second.version} to be committed`, phase('committed', second), 600_000)
    say(`updated and committed in ${formatMs(Date.now() - updated)} (version ${committed.data.version}); ${await travelled(home, second)}`)
    expect((await home.online(60_000, box)).version).toBe('0.1.1')

    const rollout = await rollOut(home, bad)
    const back = await awaitFact(home.api, `${bad.version} to be rolled back`, phase('rolled-back', bad), 900_000)
    say(`a bad version went back by itself: ${back.data.why}`)
    expect(String(back.data.why)).not.toBe('')
    expect((await home.online(60_000, box)).version).toBe('0.1.1')
    await shownInManager(home, rollout)
  })
})

/** As a person does it: the image is in the catalogue, a ticket for the site, one file, unpacked, written. Returns the raw image. */
async function downloaded(home: Home, image: BoxImage): Promise<string> {
  const { hash } = await home.api.send('POST', '/appliance-images/import', await publish(image, home.bucket), Hash)
  await waitFor(
    'the compressed forms of the image',
    async () => ((await home.api.get(`/appliance-images/${hash}`, Hash)).formats?.includes('img.gz') ? true : undefined),
    { ms: 120_000, everyMs: 500 },
  )
  const ticket = await home.api.send('POST', `/sites/${home.site.id}/image-tickets`, { board: 'x86_64', ...home.wires }, Ticket)
  const url = new URL(ticket.downloads.find(({ format }) => format === 'img.gz')?.url ?? '')
  const began = Date.now()
  const answer = await fetch(new URL(`${url.pathname}${url.search}`, home.manager.url))
  if (!answer.ok || !answer.body) throw new Error(`the download: ${answer.status} ${await answer.text()}`)
  const file = join(home.lab.directory, 'downloaded.img')
  await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), createGunzip(), createWriteStream(file))
  say(`downloaded as .img.gz: ${formatBytes(Number(answer.headers.get('content-length')))} in ${formatMs(Date.now() - began)}`)
  return file
}

const phase = (name: string, image: BoxImage) => (event: { kind: string; data: Record<string, unknown> }) =>
  event.kind === 'appliance.update' && event.data.phase === name && event.data.version === image.version

/** What the box says when the whole release is written. */
async function travelled(home: Home, image: BoxImage): Promise<string> {
  const { data } = await awaitFact(home.api, 'the facts of its delivery', phase('written', image), 30_000)
  return `${formatBytes(Number(data.fetched))} of ${formatBytes(Number(data.total))} travelled`
}

const Rollout = z.object({
  state: z.string(),
  sites: z.array(
    z.object({
      outcome: z.string(),
      booted: z.object({ version: z.string().optional(), slot: z.string().optional() }).optional(),
      rollback: z.object({ version: z.string(), why: z.string() }).optional(),
    }),
  ),
})

/** The rollout has stopped by its rule; the reason, and what really runs, stand at the site. */
async function shownInManager(home: Home, rollout: string): Promise<void> {
  const { state, sites } = await home.api.get(`/rollouts/${rollout}`, Rollout)
  expect(state).toBe('stopped')
  expect(sites).toMatchObject([
    {
      outcome: 'failed',
      booted: { version: '0.1.1', slot: 'B' },
      rollback: { version: '0.1.2', why: expect.stringContaining('did not come up') },
    },
  ])
}
