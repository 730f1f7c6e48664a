import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fingerprintOf } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSigningKey } from '../identity.ts'
import { readSite } from '../membership.ts'
import { MANAGER } from '../samples.ts'
import { bundleFiles, refOf, type TarFile, tarOf } from './bundle-samples.ts'
import { type ImportRig, importRig, refusal, TRUST } from './import-rig.ts'

let rig: ImportRig
beforeEach(async () => {
  rig = await importRig()
})
afterEach(() => rig.close())

test('before the appliance runs, a bundle waits; at its start the appliance takes it in, and keeps it over a restart', async () => {
  expect(await rig.bring(await bundleFiles({ state: { revision: 4 } }))).toEqual({ kind: 'waiting', revision: 4 })
  const one = await rig.daemon()
  expect(one.heard).toEqual([4])
  expect(one.kinds()).toEqual(['artifact.ready', 'artifact.ready', 'state.applied'])
  expect(readSite(one.store)).toMatchObject({ name: 'test', managerKeys: [{ kid: MANAGER.kid }] })
  expect(readFileSync(one.cache.path(refOf(Buffer.from('loader'), '').sha256) ?? '', 'utf8')).toBe('loader')
  expect(rig.files().order.read()).toBeUndefined()
  await one.stop()
  expect((await rig.daemon()).heard).toEqual([4])
})

test('while the appliance runs, the answer says what it runs on', async () => {
  const one = await rig.daemon()
  expect(await rig.bring(await bundleFiles())).toEqual({ kind: 'applied', revision: 1 })
  expect(await rig.bring(await bundleFiles({ state: { revision: 2 } }))).toEqual({ kind: 'applied', revision: 2 })
  expect(rig.said.filter((line) => line.endsWith('is here already'))).toHaveLength(2)
  expect(await rig.bring(await bundleFiles({ state: { revision: 2 } }))).toEqual({ kind: 'applied', revision: 2 })
  expect(one.heard).toEqual([1, 2])
  expect(await refusal(rig.bring(await bundleFiles()))).toBe('the bundle holds revision 1; this site already runs revision 2')
})

const other = createSigningKey()

test('without --trust a box of nobody shows the fingerprint and takes nothing; a later bundle of the same manager needs none', async () => {
  const plain = (bundle: TarFile[]) => rig.bring(bundle, { trust: null })
  const unvouched = await refusal(plain(await bundleFiles()))
  expect(unvouched).toContain(TRUST)
  expect(await refusal(rig.bring(await bundleFiles(), { trust: 'ab'.repeat(32) }))).toContain(`those that it carries: ${TRUST}`)
  const one = await rig.daemon()
  await rig.bring(await bundleFiles())
  expect(await plain(await bundleFiles({ state: { revision: 2 } }))).toMatchObject({ kind: 'applied' })
  expect(one.heard).toEqual([1, 2])
})

test('a key that a person vouches for again replaces the old ones', async () => {
  const one = await rig.daemon()
  await rig.bring(await bundleFiles())
  const fresh = await bundleFiles({ state: { revision: 2 }, key: other })
  expect(await refusal(rig.bring(fresh))).toMatch(/^no key of this bundle has the fingerprint/)
  expect(await rig.bring(fresh, { trust: await fingerprintOf(other) })).toEqual({ kind: 'applied', revision: 2 })
  expect(
    one
      .states()
      ?.trusted()
      .map((key) => key.kid),
  ).toEqual([other.kid])
})

test('media are put where they are wanted, by their names', async () => {
  await rig.bring(await bundleFiles(), { media: join(rig.data, 'sticks') })
  expect(readdirSync(join(rig.data, 'sticks'))).toEqual(['stick0.img'])
  expect(readFileSync(join(rig.data, 'sticks', 'stick0.img'), 'utf8')).toBe('stick')
})

test('two media of one name do not overwrite each other', async () => {
  const sticks = [Buffer.from('one'), Buffer.from('two')]
  const media = sticks.map((bytes) => refOf(bytes, 'stick.img'))
  await rig.bring(await bundleFiles({ media: sticks, head: { media } }), { media: join(rig.data, 'sticks') })
  expect(readdirSync(join(rig.data, 'sticks')).sort()).toEqual(media.map(({ sha256 }) => `${sha256.slice(0, 8)}-stick.img`).sort())
})

test('a full disk is said beforehand; where the appliance runs, it is asked to make room first', async () => {
  const bundle = await bundleFiles()
  expect(await refusal(rig.bring(bundle, { reserveBytes: 2 ** 60 }))).toMatch(
    /^the disk has no room: the bundle brings 4 kB .* While the appliance runs/,
  )
  expect(readdirSync(rig.files().directory).filter((name) => /^[0-9a-f]{64}/.test(name))).toEqual([])
  await rig.daemon()
  expect(await refusal(rig.bring(bundle, { reserveBytes: 2 ** 60 }))).toMatch(/^the disk has no room: .* that stay so$/)
  expect(rig.files().room.read()).toBeUndefined()
})

test('what an earlier import brought is not written again, and what nobody needs goes', async () => {
  const bundle = await tarOf(await bundleFiles())
  await refusal(rig.bring(bundle.subarray(0, bundle.length - 1_700))) // cut short: both artifacts were whole by then
  await writeFile(join(rig.files().directory, 'f'.repeat(64)), 'of an older bundle')
  await writeFile(join(rig.files().directory, `${'e'.repeat(64)}.part`), 'half')
  rig.said.length = 0
  await rig.bring(bundle)
  expect(rig.said.filter((line) => line.endsWith('is here already'))).toHaveLength(2)
  expect(readdirSync(rig.files().directory).filter((name) => /^[ef]{64}/.test(name))).toEqual([])
})

for (const { what, spoil, says } of [
  {
    what: 'whose artifacts have gone',
    spoil: () => rm(rig.files().artifact(refOf(Buffer.from('loader'), '').sha256)),
    says: /^file0 .* is neither at/,
  },
  {
    what: 'that somebody tampered with',
    spoil: async () => {
      const order = rig.files().order.read()
      if (order) rig.files().order.write({ ...order, state: `${order.state}A` })
    },
    says: /not to be trusted/,
  },
])
  test(`an order ${what} is refused by the appliance, too, and goes`, async () => {
    await rig.bring(await bundleFiles())
    await spoil()
    const one = await rig.daemon()
    expect(one.heard).toEqual([])
    expect(rig.files().order.read()).toBeUndefined()
    expect(rig.files().outcome.read()?.why).toMatch(says)
  })

test('a state that the records refuse is told to whoever imports it', async () => {
  await rig.daemon({
    applyInWrite: () => {
      throw new Error('no room')
    },
  })
  expect(await refusal(rig.bring(await bundleFiles()))).toBe('the appliance did not take the bundle in: could not be applied: no room')
})

test('rubbish in the import directory is passed over', async () => {
  await mkdir(rig.files().directory)
  await writeFile(join(rig.files().directory, 'order.json'), '{"id"')
  await writeFile(join(rig.files().directory, 'room.json'), '[]')
  const one = await rig.daemon()
  expect(await rig.bring(await bundleFiles())).toMatchObject({ kind: 'applied' })
  expect(one.heard).toEqual([1])
})
