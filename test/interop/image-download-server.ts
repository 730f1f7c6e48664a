import { createHash, randomBytes } from 'node:crypto'
import { encodeConfig } from '@bridgehead/manager/appliances/config-text.ts'
import { makeFrames } from '@bridgehead/manager/appliances/frames.ts'
import { registerApplianceJobs } from '@bridgehead/manager/appliances/jobs.ts'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { bucketRoutes } from '@bridgehead/manager/engines/bucket/routes.ts'
import { fakeJobs } from '@bridgehead/manager/engines/jobs/fake-jobs.ts'
import { newSite, startHarness } from '@bridgehead/manager/harness.ts'
import { createListener } from '@bridgehead/manager/listener.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'

// A manager with one image of `MIB`, on a port of loopback, in a process of its own: what is measured from outside is not measured in the
// process that measures. Prints one line of JSON: { pid, downloads, configOffset } and ends when its input does.
const MIB = 1_048_576
const [directory = '', mib = '64'] = process.argv.slice(2)
const clock = systemClock
const presigner = createPresigner(new Uint8Array(32))
const bucket = createFilesystemBucket({ directory, presigner, clock })

const bytes = Number(mib) * MIB
const full = Math.floor(bytes / 4)
const configOffset = 2 * MIB
const block = encodeConfig({})
/** A quarter is noise, as a squashfs; the rest zeros, most of which are not stored. */
async function* stored() {
  for (let at = 0; at < full; at += MIB) {
    const chunk = randomBytes(Math.min(MIB, full - at))
    if (at === configOffset) chunk.set(block)
    yield chunk
  }
}
const raw = { name: 'bridgehead.img', ...(await bucket.put(stored(), { name: 'bridgehead.img' })) }
const whole = createHash('sha256')
for await (const chunk of await bucket.get(raw.sha256)) whole.update(chunk)
for (let at = raw.bytes; at < bytes; at += MIB) whole.update(Buffer.alloc(Math.min(MIB, bytes - at)))
const small = async (name: string, data: Uint8Array) => ({ name, ...(await bucket.put(data, { name })) })
const slot = await small('slot', randomBytes(100_000))
const manifest: ApplianceImageManifest = {
  kind: 'appliance-image',
  hash: 'a'.repeat(64),
  board: 'x86_64',
  version: '1.0.0',
  image: { raw, bytes, sha256: whole.digest('hex'), configOffset, configBytes: 4096 },
  slot,
  blocks: await small('blocks', randomBytes(64)),
  dataSchema: 1,
  sbom: await small('sbom', Buffer.from('{}')),
  licences: await small('licences', Buffer.from('MIT')),
  packages: [],
}
await bucket.putDocument(`appliance-images/${manifest.hash}.json`, manifest)
await makeFrames(manifest, { bucket, progress: () => undefined, signal: new AbortController().signal })

const jobs = fakeJobs()
const kinds = registerApplianceJobs(jobs, { bucket, builder: undefined, clock, log: silentLog })
const harness = await startHarness({
  engines: {
    images: { bucket, jobs, kinds, ticketKey: new Uint8Array(32) },
    pages: [],
    downloads: [bucketRoutes({ bucket, presigner, clock })],
    clock,
  },
})
await newSite(harness, 'berlin')
const made = await harness.ask('POST', '/sites/berlin/image-tickets', { uplink: { wifi: { ssid: 'shop', psk: 'correct horse' } } })
const listener = createListener({
  name: 'http',
  host: '127.0.0.1',
  port: 0,
  variable: 'none',
  fetch: (request) => harness.manager.app.fetch(request),
  log: silentLog,
})
await listener.start()
const at = (url: string) => `http://127.0.0.1:${listener.port()}${new URL(url, 'http://any').pathname}${new URL(url, 'http://any').search}`
const downloads = Object.fromEntries(made.body.downloads.map(({ format, url }: { format: string; url: string }) => [format, at(url)]))
console.log(JSON.stringify({ pid: process.pid, downloads, configOffset }))

process.stdin.resume()
process.stdin.on('end', async () => {
  await listener.stop()
  await harness.close()
  process.exit(0)
})
