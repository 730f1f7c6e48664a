import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { fingerprintOf } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../store/outbox.ts'
import { openStore, type Store } from '../../store/store.ts'
import { type ArtifactCache, createArtifactCache } from '../cache/cache.ts'
import { createSigningKey } from '../identity.ts'
import { type Adoption, readSite } from '../membership.ts'
import { MANAGER, publicOf } from '../samples.ts'
import { createStateKeeper, type StateKeeper } from '../state-keeper.ts'
import { bundleFiles, refOf, type TarFile, tarOf } from './bundle-samples.ts'
import { BundleError } from './check.ts'
import { importFiles } from './files.ts'
import { type Imported, importBundle } from './import.ts'
import { createBundleInbox } from './inbox.ts'

const clock = { ...systemClock, every: (ms: number, task: () => void) => systemClock.every(ms / 20, task) }
const log = silentLog
const TRUST = await fingerprintOf(MANAGER)
let data = ''
let said: string[] = []
const closing: (() => Promise<void>)[] = []

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'import-'))
  said = []
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await rm(data, { recursive: true })
})

const bring = async (files: readonly TarFile[] | Buffer, more: { trust?: string; media?: string; reserveBytes?: number } = {}) => {
  const bytes = Buffer.isBuffer(files) ? files : await tarOf(files as readonly TarFile[])
  const pieces = Array.from({ length: Math.ceil(bytes.length / 700) }, (_, index) => bytes.subarray(index * 700, index * 700 + 700))
  return importBundle({ file: Readable.from(pieces), data, trust: TRUST, say: (line) => said.push(line), clock, newId, ...more })
}
/** The sentence with which it is refused. */
const refusal = (work: Promise<Imported>) =>
  work.then(
    (done) => `it was taken: ${done.kind}`,
    (error: unknown) => (error instanceof BundleError ? error.message : `no sentence: ${error}`),
  )
const files = () => importFiles(data)

/** The daemon's half: store, cache, inbox. */
async function daemon({ applyInWrite = () => {} }: { applyInWrite?: () => void } = {}) {
  const store: Store = openStore(join(data, 'appliance.sqlite'))
  const outbox = createOutbox(store.db, { clock, newId })
  const source = () => undefined
  const cache: ArtifactCache = createArtifactCache({
    ...{ store, outbox, clock, log, source },
    random: () => 0,
    directory: join(data, 'artifacts'),
  })
  let states: StateKeeper | undefined
  const heard: number[] = []
  const openSite = async ({ site, managerKeys }: Adoption) => {
    if (states) return states
    states = createStateKeeper({ ...{ site, managerKeys, applyInWrite, store, outbox, log } })
    states.onState((state) => heard.push(state.revision))
    await states.load()
    return states
  }
  await cache.start()
  const inbox = createBundleInbox({ data, store, cache, openSite, clock, log })
  await inbox.start()
  const stop = async () => {
    await inbox.stop()
    await cache.stop()
    store.close()
  }
  closing.push(stop)
  const kinds = () => outbox.peek(100).map(({ event }) => (JSON.parse(event) as { kind: string }).kind)
  return { store, cache, heard, kinds, states: () => states, stop: () => closing.splice(closing.indexOf(stop), 1)[0]?.() ?? stop() }
}

test('before the appliance runs, a bundle waits; at its start the appliance takes it in, and keeps it over a restart', async () => {
  expect(await bring(await bundleFiles({ state: { revision: 4 } }))).toEqual({ kind: 'waiting', revision: 4 })
  const one = await daemon()
  expect(one.heard).toEqual([4])
  expect(one.kinds()).toEqual(['artifact.ready', 'artifact.ready', 'state.applied'])
  expect(readSite(one.store)).toMatchObject({ name: 'test', managerKeys: [{ kid: MANAGER.kid }] })
  expect(readFileSync(one.cache.path(refOf(Buffer.from('loader'), '').sha256) ?? '', 'utf8')).toBe('loader')
  expect(files().order.read()).toBeUndefined()
  await one.stop()
  expect((await daemon()).heard).toEqual([4])
})

test('while the appliance runs, the answer says what it runs on', async () => {
  const one = await daemon()
  expect(await bring(await bundleFiles())).toEqual({ kind: 'applied', revision: 1 })
  expect(await bring(await bundleFiles({ state: { revision: 2 } }))).toEqual({ kind: 'applied', revision: 2 })
  expect(said.filter((line) => line.endsWith('is here already'))).toHaveLength(2)
  expect(await bring(await bundleFiles({ state: { revision: 2 } }))).toEqual({ kind: 'applied', revision: 2 })
  expect(one.heard).toEqual([1, 2])
  expect(await refusal(bring(await bundleFiles()))).toBe('the bundle holds revision 1; this site already runs revision 2')
})

const other = createSigningKey()
const rows: { what: string; says: RegExp; make: (files: TarFile[]) => TarFile[] | Promise<TarFile[]> }[] = [
  { what: 'an empty tar', says: /^the file ends before the bundle's list/, make: () => [] },
  {
    what: 'some other tar',
    says: /^expected the bundle's list .*found "readme\.txt"$/,
    make: () => [{ name: 'readme.txt', body: Buffer.from('hello') }],
  },
  {
    what: 'a first entry that is no document',
    says: /^this is no offline bundle: its first entry/,
    make: ([_, ...rest]) => [{ name: 'bundle.jws', body: Buffer.from('{}') }, ...rest],
  },
  {
    what: 'a layout of tomorrow',
    says: /^the bundle has layout 2; this appliance knows layout 1 and must be updated first$/,
    make: () => bundleFiles({ head: { format: 2 } }),
  },
  {
    what: 'a list that was changed after it was signed',
    says: /^the bundle is not to be trusted: signature/,
    make: ([head, ...rest]) => {
      const [first = '', payload = '', last = ''] = String(head?.body).split('.')
      const changed = Buffer.from(payload, 'base64url').toString().replace('"name":"test"', '"name":"best"')
      return [{ name: 'bundle.jws', body: Buffer.from(`${first}.${Buffer.from(changed).toString('base64url')}.${last}`) }, ...rest]
    },
  },
  {
    what: 'a list that another key signed under the name of the right one',
    says: /^the bundle is not to be trusted/,
    make: () => bundleFiles({ key: { ...other, kid: MANAGER.kid }, head: { managerKeys: [publicOf(MANAGER)] } }),
  },
  {
    what: 'a state of another site',
    says: /^the state in the bundle cannot be applied: meant for site/,
    make: () => bundleFiles({ state: { site: '01900000-0000-7000-8000-00000000000b' } }),
  },
  {
    what: 'a state that does not fit',
    says: /^the state in the bundle cannot be applied: .*lans/,
    make: () => bundleFiles({ state: { lans: 7 } }),
  },
  {
    what: 'a state of a later protocol',
    says: /written in protocol 99; this appliance speaks/,
    make: () => bundleFiles({ state: { protocol: 99 } }),
  },
  {
    what: 'another revision than it promises',
    says: /^the bundle promises revision 7, but its state is revision 1$/,
    make: () => bundleFiles({ head: { revision: 7 } }),
  },
  {
    what: 'a state that names more than the bundle brings',
    says: /^the bundle does not bring file0 \(.*\), which its state names$/,
    make: () => bundleFiles({ head: { artifacts: [] } }),
  },
  {
    what: 'a medium whose name leads elsewhere',
    says: /^the bundle has a medium named "\.\.", which is no file name$/,
    make: () => bundleFiles({ head: { media: [{ ...refOf(Buffer.from('stick'), '..') }] } }),
  },
  {
    what: 'an artifact under a name that leads elsewhere',
    says: /^expected file0 .* found "\.\.\/\.\.\/etc\/passwd"$/,
    make: ([head, state, one, ...rest]) => [head, state, { ...(one as TarFile), name: '../../etc/passwd' }, ...rest] as TarFile[],
  },
  {
    what: 'a name that plays with the terminal',
    says: /^expected file0 .* found "\?\[2Jx"$/,
    make: ([head, state, one, ...rest]) => [head, state, { ...(one as TarFile), name: '\x1b[2Jx' }, ...rest] as TarFile[],
  },
  {
    what: 'a link in place of an artifact',
    says: /^expected file0 .* found a symlink named /,
    make: ([head, state, one, ...rest]) =>
      [head, state, { ...(one as TarFile), type: 'symlink', linkname: '/etc/passwd', body: Buffer.alloc(0) }, ...rest] as TarFile[],
  },
  { what: 'an artifact too few', says: /^expected file0 .* found "artifacts\//, make: (all) => all.filter((_, index) => index !== 2) },
  { what: 'no end', says: /^the file ends before stick0\.img; it was not copied whole$/, make: (all) => all.slice(0, -1) },
  { what: 'an artifact twice', says: /^expected file1 /, make: (all) => [...all.slice(0, 3), ...all.slice(2)] },
  {
    what: 'something behind the end',
    says: /^the file has more in it than the bundle promises: "more"$/,
    make: (all) => [...all, { name: 'more', body: Buffer.from('x') }],
  },
  {
    what: 'a size that is a lie',
    says: /^file1 has 8589934591 bytes in the file, but 3000 were promised$/,
    make: (all) => all.map((one, index) => (index === 3 ? { ...one, size: 8_589_934_591 } : one)),
  },
  {
    what: 'a list as large as a disk',
    says: /^the bundle's list has 5000000000 bytes; at most 4194304 are read$/,
    make: ([head, ...rest]) => [{ ...(head as TarFile), size: 5_000_000_000 }, ...rest],
  },
  {
    what: 'wrong bytes under the right name',
    says: /^file1 is damaged in the file: its sha256 is [0-9a-f]{64}, but [0-9a-f]{64} was promised$/,
    make: (all) => all.map((one, index) => (index === 3 ? { ...one, body: Buffer.alloc(3_000, 8) } : one)),
  },
  {
    what: 'a damaged medium',
    says: /^stick0\.img is damaged in the file/,
    make: (all) => all.map((one) => (one.name.startsWith('media/') ? { ...one, body: Buffer.from('stock') } : one)),
  },
]
for (const { what, says, make } of rows)
  test(`${what} is refused in a sentence, and nothing is ordered`, async () => {
    expect(await refusal(bring(await make(await bundleFiles())))).toMatch(says)
    expect(files().order.read()).toBeUndefined()
    expect((await daemon()).heard).toEqual([])
  })

test('whatever bit of a bundle is flipped, and wherever it is cut, it is refused in a sentence, or nothing was lost', async () => {
  const whole = await tarOf(await bundleFiles())
  const step = Math.floor(whole.length / 60)
  for (let at = 3; at < whole.length; at += step) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    for (const bytes of [flipped, whole.subarray(0, at)]) {
      const outcome = await refusal(bring(bytes))
      expect(outcome, `byte ${at}`).not.toMatch(/no sentence/)
      if (outcome.startsWith('it was taken'))
        expect(files().order.read(), `byte ${at}`).toMatchObject({ head: expect.any(String) }) // a bit that means nothing
      else expect(files().order.read(), `byte ${at}`).toBeUndefined()
      files().order.remove()
    }
  }
  expect(await bring(whole)).toEqual({ kind: 'waiting', revision: 1 })
}, 60_000)

test('without --trust a box of nobody shows the fingerprint and takes nothing; a later bundle of the same manager needs none', async () => {
  const plain = async (bundle: TarFile[]) => importBundle({ file: Readable.from([await tarOf(bundle)]), data, say: () => {}, clock, newId })
  const unvouched = await refusal(plain(await bundleFiles()))
  expect(unvouched).toContain(TRUST)
  expect(await refusal(bring(await bundleFiles(), { trust: 'ab'.repeat(32) }))).toContain(`those that it carries: ${TRUST}`)
  const one = await daemon()
  await bring(await bundleFiles())
  expect(await plain(await bundleFiles({ state: { revision: 2 } }))).toMatchObject({ kind: 'applied' })
  expect(one.heard).toEqual([1, 2])
})

test('a key that a person vouches for again replaces the old ones', async () => {
  const one = await daemon()
  await bring(await bundleFiles())
  const fresh = await bundleFiles({ state: { revision: 2 }, key: other })
  expect(await refusal(bring(fresh))).toMatch(/^no key of this bundle has the fingerprint/)
  expect(await bring(fresh, { trust: await fingerprintOf(other) })).toEqual({ kind: 'applied', revision: 2 })
  expect(
    one
      .states()
      ?.trusted()
      .map((key) => key.kid),
  ).toEqual([other.kid])
})

test('media are put where they are wanted, by their names', async () => {
  await bring(await bundleFiles(), { media: join(data, 'sticks') })
  expect(readdirSync(join(data, 'sticks'))).toEqual(['stick0.img'])
  expect(readFileSync(join(data, 'sticks', 'stick0.img'), 'utf8')).toBe('stick')
})

test('two media of one name do not overwrite each other', async () => {
  const sticks = [Buffer.from('one'), Buffer.from('two')]
  const media = sticks.map((bytes) => refOf(bytes, 'stick.img'))
  await bring(await bundleFiles({ media: sticks, head: { media } }), { media: join(data, 'sticks') })
  expect(readdirSync(join(data, 'sticks')).sort()).toEqual(media.map(({ sha256 }) => `${sha256.slice(0, 8)}-stick.img`).sort())
})

test('a full disk is said beforehand; where the appliance runs, it is asked to make room first', async () => {
  const bundle = await bundleFiles()
  expect(await refusal(bring(bundle, { reserveBytes: 2 ** 60 }))).toMatch(
    /^the disk has no room: the bundle brings 4 kB .* While the appliance runs/,
  )
  expect(readdirSync(files().directory).filter((name) => /^[0-9a-f]{64}/.test(name))).toEqual([])
  await daemon()
  expect(await refusal(bring(bundle, { reserveBytes: 2 ** 60 }))).toMatch(/^the disk has no room: .* that stay so$/)
  expect(files().room.read()).toBeUndefined()
})

test('what an earlier import brought is not written again, and what nobody needs goes', async () => {
  const bundle = await tarOf(await bundleFiles())
  await refusal(bring(bundle.subarray(0, bundle.length - 1_700))) // cut short: both artifacts were whole by then
  await writeFile(join(files().directory, 'f'.repeat(64)), 'of an older bundle')
  await writeFile(join(files().directory, `${'e'.repeat(64)}.part`), 'half')
  said = []
  await bring(bundle)
  expect(said.filter((line) => line.endsWith('is here already'))).toHaveLength(2)
  expect(readdirSync(files().directory).filter((name) => /^[ef]{64}/.test(name))).toEqual([])
})

for (const { what, spoil, says } of [
  {
    what: 'whose artifacts have gone',
    spoil: () => rm(files().artifact(refOf(Buffer.from('loader'), '').sha256)),
    says: /^file0 .* is neither at/,
  },
  {
    what: 'that somebody tampered with',
    spoil: async () => {
      const order = files().order.read()
      if (order) files().order.write({ ...order, state: `${order.state}A` })
    },
    says: /not to be trusted/,
  },
])
  test(`an order ${what} is refused by the appliance, too, and goes`, async () => {
    await bring(await bundleFiles())
    await spoil()
    const one = await daemon()
    expect(one.heard).toEqual([])
    expect(files().order.read()).toBeUndefined()
    expect(files().outcome.read()?.why).toMatch(says)
  })

test('a state that the records refuse is told to whoever imports it', async () => {
  await daemon({
    applyInWrite: () => {
      throw new Error('no room')
    },
  })
  expect(await refusal(bring(await bundleFiles()))).toBe('the appliance did not take the bundle in: could not be applied: no room')
})

test('rubbish in the import directory is passed over', async () => {
  await mkdir(files().directory)
  await writeFile(join(files().directory, 'order.json'), '{"id"')
  await writeFile(join(files().directory, 'room.json'), '[]')
  const one = await daemon()
  expect(await bring(await bundleFiles())).toMatchObject({ kind: 'applied' })
  expect(one.heard).toEqual([1])
})
