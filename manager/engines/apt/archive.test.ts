import { expect, test } from 'vitest'
import { chooseArchive, formatDeb822, formatOneLine, reachOptions } from './archive.ts'
import { type IndexTarget, parseSources } from './sources.ts'

const target = (codename: string, more: Partial<IndexTarget> = {}): IndexTarget => ({
  uri: 'http://mirror.example/debian/',
  release: codename,
  component: 'main',
  origin: 'Debian',
  label: 'Debian',
  codename,
  ...more,
})
const security = target('bookworm-security', { uri: 'http://mirror.example/debian-security/', label: 'Debian-Security' })
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const sources = parseSources(
  'debian.sources',
  `Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: ${KEYRING}\n`,
)
const suites = (found: ReturnType<typeof chooseArchive>) => found.parts.map((part) => `${part.suite} ${part.components.join(' ')}`)

for (const { machine, targets, suite, expected } of [
  {
    machine: 'with release, updates and security',
    targets: [target('bookworm-updates'), security, target('bookworm'), target('bookworm', { component: 'contrib' })],
    expected: ['bookworm main contrib', 'bookworm-updates main', 'bookworm-security main'],
  },
  {
    machine: 'with an alias in its sources',
    targets: [target('trixie', { release: 'stable' })],
    expected: ['trixie main'],
  },
  {
    machine: 'with third-party sources and backports, which are passed over',
    targets: [
      target('nodistro', { origin: '. nodistro', label: '. nodistro' }),
      target('bookworm'),
      target('bookworm-backports', { label: 'Debian Backports' }),
      target('bookworm', { origin: 'Example', uri: 'http://third.example/' }),
    ],
    expected: ['bookworm main'],
  },
  {
    machine: 'asked for another release',
    targets: [target('bookworm'), target('bookworm-updates'), security],
    suite: 'trixie',
    expected: ['trixie main', 'trixie-updates main', 'trixie-security main'],
  },
  {
    machine: 'of one release that also reads a newer one',
    targets: [target('bookworm'), target('trixie')],
    expected: ['bookworm main'],
  },
])
  test(`a machine ${machine} gives ${expected.join(', ')}`, () => {
    expect(suites(chooseArchive(targets, sources, suite))).toEqual(expected)
  })

test('keys are those that the machine names for each source', () => {
  const { parts } = chooseArchive([target('bookworm'), security], sources)
  expect(parts.map((part) => part.signedBy)).toEqual([KEYRING, undefined])
  expect(parts.map(formatOneLine)).toEqual([
    `deb [signed-by=${KEYRING}] http://mirror.example/debian/ bookworm main`,
    'deb http://mirror.example/debian-security/ bookworm-security main',
  ])
})

test('a machine without a Debian archive is told so', () => {
  expect(() => chooseArchive([target('noble', { origin: 'Ubuntu', label: 'Ubuntu' })], [])).toThrow(/knows no Debian archive/)
})

test('the installed machine gets the same archive, without passwords', () => {
  const { parts } = chooseArchive([target('bookworm', { uri: 'https://user:secret@mirror.example/debian/' })], [])
  const text = formatDeb822({ codename: 'bookworm', parts })
  expect(text).toContain('URIs: https://mirror.example/debian/\nSuites: bookworm\nComponents: main\n')
  expect(text).not.toContain('secret')
})

test('settings that say how to reach the archive are passed on, others are not', () => {
  expect(
    reachOptions(
      [
        'Acquire::http "";',
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::https::CAInfo "/etc/ssl/ca.pem";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Languages:: "none";',
        'Acquire::IndexTargets::deb::Packages::Optional "0";',
        'Acquire::AllowInsecureRepositories "1";',
        'APT::Get::Assume-Yes "true";',
        'DPkg::Post-Invoke:: "rm -f /x";',
      ].join('\n'),
    ),
  ).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3142";',
    'Acquire::https::CAInfo "/etc/ssl/ca.pem";',
    'Acquire::Check-Valid-Until "false";',
  ])
})
