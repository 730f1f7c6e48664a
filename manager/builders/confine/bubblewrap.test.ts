import { expect, test } from 'vitest'
import { asBuildUser, bubblewrapArguments } from './bubblewrap.ts'

const plan = {
  argv: ['make', '-j2'],
  cwd: '/build',
  readOnly: [{ from: '/srv/source', to: '/source' }],
  writable: [{ from: '/srv/tree', to: '/build' }],
  env: { SOURCE_DATE_EPOCH: '1' },
  limits: { seconds: 60, memoryMiB: 512, processes: 100, outputMiB: 64 },
  system: [{ path: '/usr' }, { path: '/bin', link: 'usr/bin' }],
}
const text = bubblewrapArguments(plan).join(' ')

for (const { what, says } of [
  { what: 'has no network and no way to another user namespace', says: '--unshare-all --unshare-user --disable-userns' },
  { what: 'dies with its parent', says: '--die-with-parent' },
  { what: 'sees the system read-only', says: '--ro-bind /usr /usr --symlink usr/bin /bin' },
  { what: 'sees its source read-only and writes in its tree only', says: '--ro-bind /srv/source /source --bind /srv/tree /build' },
  { what: 'gets its own environment', says: '--clearenv --setenv PATH /usr/bin:/bin' },
  { what: 'is limited by the kernel', says: 'prlimit --as=536870912 --fsize=67108864 --nproc=100 --core=0' },
  { what: 'has a small /tmp', says: '--size 67108864 --tmpfs /tmp' },
])
  test(`a sandbox ${what}`, () => expect(text).toContain(says))

test('the command comes last and whole', () => expect(bubblewrapArguments(plan).slice(-3)).toEqual(['--', 'make', '-j2']))

test('root gives the paths to its mount namespace, and its rights away', () => {
  const argv = asBuildUser(plan)
  expect(argv.slice(0, 4)).toEqual(['unshare', '--mount', '--propagation', 'private'])
  expect(argv.slice(argv.indexOf('/srv/source'), argv.indexOf('setpriv'))).toEqual(['/srv/source', '/srv/tree', '--'])
  expect(argv.join(' ')).toContain('setpriv --reuid=60907 --regid=60907 --clear-groups --no-new-privs -- /bin/sh')
  expect(argv.join(' ')).toContain('--ro-bind /mnt/0 /source --bind /mnt/1 /build')
})
