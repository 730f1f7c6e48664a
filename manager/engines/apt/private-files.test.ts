import { expect, test } from 'vitest'
import { downloadList, privateConfiguration, sourceLines } from './private-files.ts'

const archive = {
  codename: 'trixie',
  parts: [
    { uri: 'http://mirror.example/debian/', suite: 'trixie', components: ['main'], signedBy: '/usr/share/keyrings/debian.gpg' },
    { uri: 'http://mirror.example/debian/', suite: 'trixie-updates', components: ['main'] },
  ],
}

test('the wished components count, not those of the machine', () => {
  expect(sourceLines(archive, { components: ['main', 'non-free-firmware'] })).toEqual([
    'deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian/ trixie main non-free-firmware',
    'deb http://mirror.example/debian/ trixie-updates main non-free-firmware',
  ])
})

test('source packages are read from the same places', () => {
  expect(sourceLines(archive, { components: ['main'], sourcePackages: true })[1]).toBe(
    'deb-src http://mirror.example/debian/ trixie-updates main',
  )
})

test('settings of the machine are left out, except how to reach the archive', () => {
  const text = privateConfiguration({
    directory: '/srv/apt/x',
    reach: ['Acquire::http::Proxy "http://proxy.example:3142";'],
    architecture: 'arm64',
  })
  expect(text).toContain('APT::Architectures { "arm64"; };')
  expect(text).toContain('Dir::Etc::parts "/dev/null";')
  expect(text).toContain('Dir::State::status "/srv/apt/x/status";')
  expect(text).toContain('Acquire::AllowInsecureRepositories "false";')
  expect(text.endsWith('Acquire::http::Proxy "http://proxy.example:3142";\n')).toBe(true)
})

test('packages for all architectures are read from one of them', () => {
  expect(privateConfiguration({ directory: '/x', reach: [], architecture: 'all' })).toContain('APT::Architecture "amd64";')
})

for (const { says, text, found } of [
  {
    says: 'a file a line',
    text: "'http://m.example/pool/a%2bb_1.deb' a+b_1_all.deb 1234 SHA256:00ff\n",
    found: [{ uri: 'http://m.example/pool/a%2bb_1.deb', name: 'a+b_1_all.deb', bytes: 1234 }],
  },
  { says: 'prose around it', text: 'Reading package lists...\nNeed to get 1 MB of source archives.\n', found: [] },
])
  test(`a download list with ${says}`, () => expect(downloadList(text)).toEqual(found))
