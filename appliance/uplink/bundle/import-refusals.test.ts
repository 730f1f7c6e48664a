import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSigningKey } from '../identity.ts'
import { MANAGER, publicOf } from '../samples.ts'
import { bundleFiles, refOf, type TarFile, tarOf } from './bundle-samples.ts'
import { type ImportRig, importRig, refusal } from './import-rig.ts'

let rig: ImportRig
beforeEach(async () => {
  rig = await importRig()
})
afterEach(() => rig.close())

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
    expect(await refusal(rig.bring(await make(await bundleFiles())))).toMatch(says)
    expect(rig.files().order.read()).toBeUndefined()
    expect((await rig.daemon()).heard).toEqual([])
  })

test('whatever bit of a bundle is flipped, and wherever it is cut, it is refused in a sentence, or nothing was lost', async () => {
  const whole = await tarOf(await bundleFiles())
  const step = Math.floor(whole.length / 60)
  for (let at = 3; at < whole.length; at += step) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    for (const bytes of [flipped, whole.subarray(0, at)]) {
      const outcome = await refusal(rig.bring(bytes))
      expect(outcome, `byte ${at}`).not.toMatch(/no sentence/)
      if (outcome.startsWith('it was taken'))
        expect(rig.files().order.read(), `byte ${at}`).toMatchObject({ head: expect.any(String) }) // a bit that means nothing
      else expect(rig.files().order.read(), `byte ${at}`).toBeUndefined()
      rig.files().order.remove()
    }
  }
  expect(await rig.bring(whole)).toEqual({ kind: 'waiting', revision: 1 })
}, 60_000)
