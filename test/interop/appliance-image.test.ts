import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { regionOf } from '@bridgehead/image/layout.ts'
import { writeBootPartition } from '@bridgehead/manager/packagers/appliance-image/boot-partition.ts'
import { writeDisk } from '@bridgehead/manager/packagers/appliance-image/disk.ts'
import { decodeGrubEnv, FRESH_MARKS, marksOf } from '@bridgehead/shared/boot/slots.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const MIB = 1_048_576
const uuid = (name: string) => `00000000-0000-8000-8000-${Buffer.from(name.padEnd(6).slice(0, 6)).toString('hex')}`
const tool = (program: string, ...args: string[]) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, MTOOLS_SKIP_CHECK: '1', PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  })

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bridgehead-image-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe.each(['x86_64', 'rpi'] as const)('the disk of %s, read by other tools', (board) => {
  test('table, file system, and the files that are rewritten in place', async () => {
    const image = join(directory, 'disk.img')
    const slot = join(directory, 'slot')
    writeFileSync(slot, 'hsqs and more')
    const programs = '/usr/sbin:/usr/bin:/sbin:/bin'
    const configOffset = await writeBootPartition({
      ...{ board, image, id: 'abcd1234', work: join(directory, 'work'), signal: new AbortController().signal },
      files: { 'EFI/BOOT/BOOT.EFI': new Uint8Array(900_000).fill(7) },
      programs,
    })
    await writeDisk({ board, image, slot, uuid })

    const table = JSON.parse(tool('sfdisk', '--json', image)).partitiontable
    expect(table.label).toBe('gpt')
    expect(table.partitions.map((one: { name: string }) => one.name)).toEqual([
      ...(board === 'rpi' ? [] : ['bios']),
      'boot',
      'slot-a',
      'slot-b',
    ])
    expect(spawnSync('sfdisk', ['--verify', image], { encoding: 'utf8', env: { PATH: programs } }).stdout).toContain('No errors detected')

    const boot = regionOf(board, 'boot')
    const fat = join(directory, 'fat.img')
    writeFileSync(fat, readFileSync(image).subarray(boot.offset, boot.offset + boot.bytes))
    expect(tool('fsck.fat', '-n', fat)).not.toMatch(/error|dirty|differ/i)
    const bytes = readFileSync(image)
    expect(bytes.toString('latin1', configOffset, configOffset + 15)).toBe('{"bridgehead":1')
    expect(bytes.subarray(configOffset, configOffset + 4096)).toEqual(Buffer.from(tool('mtype', '-i', fat, '::/bridgehead.json')))

    const places = Object.fromEntries(
      tool('mtype', '-i', fat, '::/grub/places')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(' ')),
    )
    expect(boot.offset + Number(places.config)).toBe(configOffset)
    const env = bytes.subarray(boot.offset + Number(places.env)).subarray(0, 1024)
    expect(marksOf(decodeGrubEnv(env))).toEqual(FRESH_MARKS)
    expect(bytes.toString('latin1', regionOf(board, 'slot-a').offset).startsWith('hsqs')).toBe(true)
    expect(bytes.length % MIB).toBe(0)
  })
})

test('GRUB takes its configuration', () => {
  const file = join(directory, 'grub.cfg')
  writeFileSync(file, readFileSync(new URL('../../image/boot/grub.cfg', import.meta.url), 'utf8').replaceAll('@CMDLINE@', 'quiet'))
  tool('grub-script-check', file)
})

test.each(['etc/rcS', 'etc/rcK', ...['helper', 'supervisor', 'install', 'data-partition'].map((name) => `usr/lib/bridgehead/${name}`)])(
  'busybox takes %s',
  (name) => {
    tool('busybox', 'sh', '-n', new URL(`../../image/root/${name}`, import.meta.url).pathname)
  },
)
