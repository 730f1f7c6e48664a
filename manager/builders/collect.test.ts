import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from './collect.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  await mkdir(join(directory, 'tree/bin'), { recursive: true })
  await mkdir(join(directory, 'tree/folder.efi'))
  await writeFile(join(directory, 'secret'), 'secret')
  await writeFile(join(directory, 'tree/bin/good.efi'), 'good')
  await symlink(join(directory, 'secret'), join(directory, 'tree/link.efi'))
  await symlink(directory, join(directory, 'tree/out'))
  await link(join(directory, 'secret'), join(directory, 'tree/hard.efi'))
})
afterAll(() => rm(directory, { recursive: true }))

test('what a build has made is read', async () => {
  expect((await collect(join(directory, 'tree'), 'bin/good.efi')).toString()).toBe('good')
})

for (const { what, path, says } of [
  { what: 'a link to a secret', path: 'link.efi', says: 'a link to somewhere else' },
  { what: 'a directory that is a link', path: 'out/secret', says: 'a link to somewhere else' },
  { what: 'a second name of a secret', path: 'hard.efi', says: 'something else than an ordinary file' },
  { what: 'a directory', path: 'folder.efi', says: 'something else than an ordinary file' },
  { what: 'nothing', path: 'bin/missing.efi', says: 'made no bin/missing.efi' },
])
  test(`${what} is refused`, async () => {
    await expect(collect(join(directory, 'tree'), path)).rejects.toMatchObject({ code: 'build', message: expect.stringContaining(says) })
  })
