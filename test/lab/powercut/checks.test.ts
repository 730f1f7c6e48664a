import { encodeGpt, PARTITION_TYPES } from '@bridgehead/manager/packagers/host-image/gpt.ts'
import { expect, test } from 'vitest'
import { fatComplaints } from './boot-check.ts'
import { fsckComplaints } from './data-check.ts'
import { readTable } from './gpt.ts'
import { broken } from './store-check.ts'
import { allowedVersions, type Promised, place } from './witness.ts'
import { encodeLog, indexLog } from './write-log.ts'

const SECTORS = 4096
function disk(spoil: (bytes: Buffer) => void = () => undefined) {
  const bytes = Buffer.alloc(SECTORS * 512)
  const id = '11111111-2222-3333-4444-555555555555'
  const partitions = [{ type: PARTITION_TYPES.esp, id, name: 'boot', first: 64, last: 127 }]
  for (const piece of encodeGpt({ sectors: SECTORS, id, partitions })) bytes.set(piece.bytes, piece.offset)
  spoil(bytes)
  return { bytes: bytes.length, read: (offset: number, length: number) => bytes.subarray(offset, offset + length) }
}

test.each([
  ['a whole table is read from its first header', () => undefined, 'first'],
  ['a header that is half written leaves the one at the end', (bytes: Buffer) => bytes.fill(9, 512 + 40, 512 + 48), 'last'],
  ['entries that are half written leave the ones at the end', (bytes: Buffer) => bytes.fill(9, 1024 + 60, 1024 + 64), 'last'],
  ['both spoilt: there are no partitions', (bytes: Buffer) => bytes.fill(0, 512, 1024).fill(0, bytes.length - 512), undefined],
])('%s', (_, spoil, from) => {
  const table = readTable(disk((bytes) => void spoil(bytes)))
  expect(table?.from).toBe(from)
  if (table) expect(table.partitions.get('boot')).toEqual({ offset: 64 * 512, bytes: 64 * 512 })
})

test('a dirty FAT is no damage, a lost cluster is', () => {
  const words = [
    'fsck.fat 4.2 (2021-01-31)',
    'There are differences between boot sector and its backup.',
    'This is mostly harmless. Differences: (offset:original/backup)',
    '  65:01/00',
    '  Not automatically fixing this.',
    'Dirty bit is set. Fs was not properly unmounted and some data may be corrupt.',
    ' Automatically removing dirty bit.',
    '',
    'Leaving filesystem unchanged.',
    '/tmp/x: 12 files, 3421/130812 clusters',
  ].join('\n')
  expect(fatComplaints(words)).toEqual([])
  expect(fatComplaints(`${words}\nReclaimed 3 unused clusters (1536 bytes).`)).toEqual(['Reclaimed 3 unused clusters (1536 bytes).'])
})

test('what the next mount sees to is no damage, a wrong count of a file is', () => {
  const frame = (...lines: string[]) =>
    ['e2fsck 1.47.0 (5-Feb-2023)', 'Pass 1: Checking inodes', ...lines, 'data: 12/31488 files (8.3%)'].join('\n')
  const harmless = frame('Free blocks count wrong (112357, counted=112356).', 'Fix? no', 'Clearing orphaned inode 13 (uid=900)')
  expect(fsckComplaints({ code: 0, text: frame() })).toEqual([])
  expect(fsckComplaints({ code: 4, text: harmless })).toEqual([])
  expect(fsckComplaints({ code: 8, text: frame() })).toEqual(['exit code 8'])
  const bad = 'Inode 12, i_blocks is 8, should be 16.  Fix? no'
  expect(fsckComplaints({ code: 4, text: frame(bad) })).toEqual([bad])
})

const lease = (mac: string, ip: string, until = 100_000): Promised => ({ kind: 'lease', mac, ip, until })
const store = { leases: new Map([['m1', { ip: '10.0.0.1', until: 100_000 }]]), events: new Set(['e1']), member: 's1' }
test.each<[string, Promised[], string[]]>([
  ['kept promises', [lease('m1', '10.0.0.1'), { kind: 'event', id: 'e1' }, { kind: 'member', site: 's1' }], []],
  ['a lease that nobody wrote down', [lease('m2', '10.0.0.2')], ['the lease of m2 is gone']],
  ['another address', [lease('m1', '10.0.0.9')], ['m1 was given 10.0.0.9, and 10.0.0.1 is written']],
  ['only the last word on a lease counts', [lease('m1', '10.0.0.9'), lease('m1', '10.0.0.1')], []],
  ['a lease that ends too early', [lease('m1', '10.0.0.1', 200_000)], ['the lease of m1 ends 100000 ms before it was promised to']],
  ['a fact that the manager has', [{ kind: 'event', id: 'e2' }], ['the fact e2 is unknown, and the manager has it']],
  ['another site', [{ kind: 'member', site: 's2' }], ['the membership of site s2 is gone']],
])('promises: %s', (_, promises, sentences) => {
  expect(broken(promises, store)).toEqual(sentences)
})

test('no store breaks each promise about it', () => {
  expect(broken([lease('m1', '10.0.0.1'), { kind: 'event', id: 'e1' }], undefined)).toHaveLength(2)
})

test('a promise binds all cuts after the entries that the log had when it was heard', () => {
  const sector = { offset: 0, bytes: new Uint8Array(512) }
  const log = encodeLog([sector, 'flush', sector, 'flush'])
  const { entries } = indexLog((into, at) => log.copy(into, 0, at), log.length)
  const heard = [4096, 512, 2048].map((logBytes) => ({ kind: 'event', id: String(logBytes), logBytes, at: 0 }) as const)
  expect(place(heard, entries).map(({ logBytes, entry }) => [logBytes, entry])).toEqual([
    [512, 0],
    [2048, 2],
    [4096, 4],
  ])
})

test('which versions may be started follows what was said of them', () => {
  const said = (version: string, now: 'may' | 'must' | 'not'): Promised => ({ kind: 'version', version, now })
  const life = [said('1', 'must'), said('2', 'may'), said('2', 'must'), said('3', 'may'), said('3', 'not')]
  expect(life.map((_, index) => [...allowedVersions(life.slice(0, index + 1))].join())).toEqual(['1', '1,2', '2', '2,3', '2'])
})
