import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeGrubEnv, encodeGrubEnv, FRESH_MARKS, type GrubEnv, type SlotMarks, withMarks } from '@bridgehead/shared/boot/slots.ts'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

// The same block, read and written by us and by GRUB's own tool.
let directory = ''
let path = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'grubenv-'))
  path = join(directory, 'grubenv')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const editenv = async (...words: string[]) => (await execa('grub-editenv', [path, ...words])).stdout
const ours = async () => decodeGrubEnv(await readFile(path))
/** grub-editenv prints names and values without quoting; values here have no newline. */
const listed = async () =>
  new Map((await editenv('list')).split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))

function randomly(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}
const LETTERS = 'abcXYZ019 =\\#"$.-_/'
const word = (random: (below: number) => number) => Array.from({ length: random(20) }, () => LETTERS[random(LETTERS.length)]).join('')

test('a block that we wrote is listed by grub-editenv as we meant it', async () => {
  const random = randomly(7)
  for (let round = 0; round < 30; round++) {
    const marks: SlotMarks = {
      order: random(2) ? ['A', 'B'] : ['B', 'A'],
      A: { ok: random(2) === 1, tries: random(4) },
      B: { ok: random(2) === 1, tries: random(4) },
    }
    const env: GrubEnv = withMarks(
      new Map([
        ['note', word(random)],
        ['saved_entry', word(random)],
      ]),
      marks,
    )
    await writeFile(path, encodeGrubEnv(env))
    expect(await listed()).toEqual(new Map(env))
  }
})

test('a block that grub-editenv created, set and unset is read as it lists it, and stays its own after we wrote it back', async () => {
  const random = randomly(11)
  await editenv('create')
  expect([...(await ours())]).toEqual([])
  for (let round = 0; round < 30; round++) {
    const name = `v${random(6)}`
    if (random(4) === 0) await editenv('unset', name)
    else await editenv('set', `${name}=${word(random)}`)
    const env = await ours()
    if (env.size > 0) expect(new Map(env)).toEqual(await listed())
    await writeFile(path, encodeGrubEnv(env))
  }
})

test('what GRUB sets in our block changes only what it set', async () => {
  await writeFile(path, encodeGrubEnv(withMarks(new Map(), FRESH_MARKS)))
  await editenv('set', 'A_TRY=1')
  expect(await ours()).toEqual(withMarks(new Map(), { ...FRESH_MARKS, A: { ok: true, tries: 1 } }))
})

test('what one side refuses, the other does not read either', async () => {
  for (const bytes of [Buffer.alloc(1024), Buffer.from('# GRUB Environment\n'.padEnd(1024, '#')), Buffer.alloc(1024, '#')]) {
    await writeFile(path, bytes)
    await expect(editenv('list')).rejects.toThrow('invalid environment block')
    expect(() => decodeGrubEnv(bytes)).toThrow()
  }
})
