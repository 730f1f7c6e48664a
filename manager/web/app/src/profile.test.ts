import { expect, test } from 'vitest'
import { type Profile, profileChanges, profileOf, wishOfProfile } from './pages/profile-form.ts'

const artifact = (name: string, letter: string) => ({ name, bytes: 1, sha256: letter.repeat(64) })
const target = (letter: string) => ({
  kernel: artifact('vmlinuz', letter),
  initrd: artifact('initrd', letter),
  image: artifact('disk', letter),
  cmdline: 'quiet',
})
const profile: Profile = {
  ...{ id: 'p', name: 'debian', version: 3, createdAt: 0 },
  ...{ targets: { x86_64: target('a') }, vars: { DISK: 'sda' }, postInstall: 's1' },
}

test('an untouched form changes nothing', () => {
  const { id: _, createdAt: __, ...rest } = profile
  expect(profileOf(wishOfProfile(profile), profile, [])).toEqual(rest)
})

test('a form takes another image, another command line, no script', () => {
  const wish = wishOfProfile(profile)
  const changed = {
    ...wish,
    postInstall: '',
    vars: 'A=1\nB=',
    targets: { x86_64: { image: 'h', cmdline: 'debug' }, arm64: { image: '', cmdline: '' } },
  }
  const made = profileOf(changed, profile, [{ hash: 'h', target: target('b') }])
  expect(made).toEqual({ name: 'debian', version: 3, vars: { A: '1', B: '' }, targets: { x86_64: { ...target('b'), cmdline: 'debug' } } })
})

test('what differs between two versions is said in words', () => {
  const { postInstall: _, ...rest } = profile
  const before: Profile = { ...rest, version: 1, targets: { x86_64: target('b') }, vars: { OLD: '1' }, ipxe: 's2' }
  expect(profileChanges(before, profile, (id) => `script ${id}`).map(({ what, before, after }) => `${what}: ${before} > ${after}`)).toEqual(
    [
      'Image for x86_64: disk (bbbbbbbb) > disk (aaaaaaaa)',
      'Kernel for x86_64: vmlinuz (bbbbbbbb) > vmlinuz (aaaaaaaa)',
      'Installer for x86_64: initrd (bbbbbbbb) > initrd (aaaaaaaa)',
      'Script after installation:  > script s1',
      'Boot script: script s2 > ',
      'Variable OLD: 1 > ',
      'Variable DISK:  > sda',
    ],
  )
  expect(profileChanges(profile, profile, String)).toEqual([])
})
