import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { appendFile, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { encodeConfigFile } from '@bridgehead/image/config-file.ts'
import { formatPlaces } from '@bridgehead/image/places.ts'
import { decodeGrubEnv, encodeGrubEnv, FRESH_MARKS, marksOf, withMarks } from '@bridgehead/shared/boot/slots.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canConfine } from '../lab/confinement.ts'

// The box's helper as it is, in busybox's shell, where / has only what it needs: a file stands for the boot partition.
const HELPER = new URL('../../image/root/usr/lib/bridgehead/helper', import.meta.url).pathname
const AT = { env: 8192, config: 16_384 }
const env = encodeGrubEnv(withMarks(new Map(), FRESH_MARKS))
const config = encodeConfigFile({ name: 'as flashed' })

let directory: string
let helper: ChildProcess
let requests = 0
const at = (path: string) => join(directory, path)
const put = (path: string, bytes: string | Uint8Array) => {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), bytes)
}

function flash() {
  const partition = new Uint8Array(65_536)
  partition.set(env, AT.env)
  partition.set(config, AT.config)
  put('run/partition', partition)
  put('boot/grub/grubenv', env)
  put('boot/grub/places', formatPlaces(AT))
  put('boot/bridgehead.json', config)
}

const confined = await canConfine()

describe.runIf(confined)('the helper of a box', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'bridgehead-helper-'))
    flash()
    const slots = { A: { device: '/run/slot-a', bytes: 1 }, B: { device: '/run/slot-b', bytes: 1 } }
    // Line by line, as rcS writes it: the helper reads lines.
    const lines = Object.entries(slots).map(([name, { device, bytes }]) => `    "${name}": { "device": "${device}", "bytes": ${bytes} }`)
    put(
      'run/bridgehead/boot.json',
      `{\n  "board": "x86_64",\n  "slot": "A",\n  "boot": "/run/partition",\n  "slots": {\n${lines.join(',\n')}\n  }\n}\n`,
    )
    for (const name of ['slot-a', 'slot-b', 'bridgehead/helper/env', 'bridgehead/helper/config', 'bridgehead/helper/reply/.keep'])
      put(`run/${name}`, '')
    execFileSync('mkfifo', [at('run/bridgehead/helper/request')])
    chmodSync(at('run'), 0o755)
    const seen = [
      ['/usr', '/usr'],
      ['/bin', '/bin'],
      ['/lib', '/lib'],
      ['/lib64', '/lib64'],
      [HELPER, '/helper'],
    ]
    helper = spawn(
      'bwrap',
      [
        ...['--unshare-user', '--uid', '0', '--gid', '0', '--unshare-pid', '--die-with-parent', '--proc', '/proc', '--dev', '/dev'],
        ...seen.flatMap(([from = '', to = '']) => ['--ro-bind', from, to]),
        ...['--bind', at('run'), '/run', '--bind', at('boot'), '/boot', 'busybox', 'sh', '/helper'],
      ],
      { stdio: 'ignore' },
    )
  })
  beforeEach(flash)
  afterAll(() => {
    helper.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  })

  async function ask(request: string): Promise<string> {
    const id = `t${++requests}`
    await appendFile(at('run/bridgehead/helper/request'), `${id} ${request}\n`)
    for (let tries = 0; tries < 200; tries++) {
      const answer = await readFile(at(`run/bridgehead/helper/reply/${id}`), 'utf8').catch(() => '')
      if (answer.endsWith('\n')) return answer.trim()
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`no answer to "${request}"`)
  }
  const partition = () => readFileSync(at('run/partition'))
  const changedSectors = (before: Buffer) => {
    const after = partition()
    return [...new Array(before.length / 512).keys()].filter(
      (n) => before.compare(after, n * 512, n * 512 + 512, n * 512, n * 512 + 512) !== 0,
    )
  }

  test('a switch of systems changes one sector of the boot partition', async () => {
    const before = partition()
    const next = { ...FRESH_MARKS, order: ['B', 'A'] as const, B: { ok: true, tries: 0 } }
    put('run/bridgehead/helper/env', encodeGrubEnv(withMarks(new Map(), next)))
    expect(await ask('env')).toBe('ok')
    expect(changedSectors(before)).toEqual([AT.env / 512])
    expect(marksOf(decodeGrubEnv(partition().subarray(AT.env, AT.env + 1024)))).toEqual(next)
  })

  test('bridgehead.json of its full size is rewritten where it lies', async () => {
    const before = partition()
    put('run/bridgehead/helper/config', encodeConfigFile({ name: 'enrolled' }))
    expect(await ask('config')).toBe('ok')
    expect(changedSectors(before)).toEqual([AT.config / 512])
  })

  test.each([
    { wish: 'env', given: ['env', 'too short'], says: 'expected an environment block of 1024 bytes' },
    { wish: 'env', given: ['env', '#'.repeat(1024)], says: 'expected "# GRUB Environment Block"' },
    { wish: 'config', given: ['config', ''], says: 'expected bridgehead.json to begin with {' },
    { wish: 'config', given: ['config', 'x'.repeat(70_000)], says: 'bridgehead.json is too large' },
    { wish: 'slot A', given: undefined, says: 'slot A is the running one' },
    { wish: 'slot C', given: undefined, says: 'expected slot A, B or none' },
    { wish: 'time soon', given: undefined, says: 'expected seconds since 1970' },
    { wish: 'format', given: undefined, says: 'there is no verb format' },
  ])('"$wish" is refused: $says', async ({ wish, given, says }) => {
    const before = partition()
    if (given) put(`run/bridgehead/helper/${given[0]}`, given[1] ?? '')
    expect(await ask(wish)).toBe(says)
    expect(changedSectors(before)).toEqual([])
  })

  test('where other bytes lie than the builder wrote, nothing is written', async () => {
    const moved = partition()
    moved.copyWithin(AT.env + 2048, AT.env, AT.env + 1024).fill(0, AT.env, AT.env + 1024)
    put('run/partition', moved)
    put('run/bridgehead/helper/env', env)
    expect(await ask('env')).toBe('the place of grubenv on the boot partition is not known')
    expect(changedSectors(moved)).toEqual([])
  })

  test('what is no request is passed over, and answers leave their directory never', async () => {
    await appendFile(at('run/bridgehead/helper/request'), '../x env\n$(id) env\n/etc/x env\n.hidden env\n\n')
    expect(await ask('format')).toBe('there is no verb format')
    expect(() => readFileSync(at('run/bridgehead/helper/x'))).toThrow('ENOENT')
  })
})
