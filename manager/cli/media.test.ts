import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ISO, ISO_SHA256, type MediaRoom, startMediaRoom } from './test-media.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

let rig: CliRig
let room: MediaRoom
beforeEach(async () => {
  room = startMediaRoom()
  rig = await startCliRig({ engines: room.engines })
})
afterEach(() => rig.close())

const asked = async () => {
  while (room.jobs.all.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}
const args = ['media', 'build', '--url', 'http://boot.example/start.ipxe', '--name', 'shop', '-o', 'iso']

test('a build tells which way was taken, how far it is, and what came of it', async () => {
  const building = rig.cli(args)
  await asked()
  room.finish({ state: 'completed' })
  const { code, stdout, stderr } = await building
  expect(code).toBe(0)
  expect(stderr).toMatch(/^ {2}BIOS, UEFI x86_64, UEFI arm64: prebuilt: .+\n/)
  expect(stderr).toContain('    0 %  waits for its turn\n')
  expect(stdout).toMatch(
    new RegExp(
      `^1 file, [0-9a-f]{64}\n\n {2}file {6}size {2}sha256\n {2}shop\\.iso {2}18 B {2}${ISO_SHA256}\n {2}→ fetch them: bridgehead media get [0-9a-f]{64}\n$`,
    ),
  )
  expect((await rig.cli(['media', 'ls'])).stdout).toContain('1 recipe: 1 ready\n')
})

test('files that are there are fetched and checked, and gone on with after a cut', async () => {
  const building = rig.cli([...args, '--download', rig.directory])
  await asked()
  room.cutAt(5)
  room.finish({ state: 'completed' })
  const { code, stdout } = await building
  expect([code, room.ranges]).toEqual([0, [undefined, 'bytes=5-']])
  expect(stdout).toContain(`${rig.directory}/shop.iso  18 B, sha256 checked\n`)
  expect(new Uint8Array(await readFile(join(rig.directory, 'shop.iso')))).toEqual(ISO)
})

test('what an earlier call left is gone on with; what is damaged is no file', async () => {
  const building = rig.cli(args)
  await asked()
  room.finish({ state: 'completed' })
  await building
  const [hash = ''] = room.jobs.all.keys()
  await writeFile(join(rig.directory, 'shop.iso.part'), 'xx')
  const { code, stderr } = await rig.cli(['media', 'get', hash, '-d', rig.directory])
  expect([code, stderr, room.ranges]).toEqual([
    1,
    expect.stringMatching(/shop\.iso\.part has sha256 .*, expected .*\n {2}→ delete /),
    ['bytes=2-'],
  ])
  expect((await rig.cli(['media', 'get', hash, 'x.iso'])).stderr).toContain(
    'there is no file "x.iso" among these media\n  → they are: shop.iso\n',
  )
})

test('the log comes line by line', async () => {
  const building = rig.cli(args)
  await asked()
  const [hash = ''] = room.jobs.all.keys()
  room.jobs.log(hash, 'looking for the loaders')
  room.jobs.log(hash, 'making iso')
  room.finish({ state: 'completed' })
  const { code, stderr } = await building
  expect([code, stderr.match(/^ {2}\| .*$/gm)]).toEqual([0, ['  | looking for the loaders', '  | making iso']])
})

test('a build that fails says why, with the last lines of its log', async () => {
  const building = rig.cli(args)
  await asked()
  room.finish({ state: 'failed', error: 'package ipxe cannot be had' })
  const { code, stderr } = await building
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('the making of iso failed: package ipxe cannot be had\n  | a line\n  → again: '),
  ])
})

test('Ctrl-C leaves it going', async () => {
  const stop = new AbortController()
  const building = rig.cli(args, { signal: stop.signal })
  await asked()
  stop.abort()
  expect(await building).toMatchObject({ code: 1, stderr: expect.stringContaining('no longer watched; the making of iso goes on') })
})

for (const { wrong, more, says } of [
  { wrong: 'an unknown output', more: ['-o', 'floppy'], says: "argument 'floppy' is invalid" },
  { wrong: 'two origins', more: ['--site', 'berlin'], says: 'expected exactly one of site, url and script, got site and url' },
  { wrong: 'a recipe that is no JSON', more: ['--recipe', '/dev/null'], says: '/dev/null: expected a recipe in JSON' },
])
  test(`${wrong} is refused`, async () => {
    const { code, stderr } = await rig.cli([...args, ...more])
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)])
    expect(room.jobs.all.size).toBe(0)
  })
