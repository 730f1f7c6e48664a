import { expect, test } from 'vitest'
import { INDEX_FORMAT, parseIndexTargets, parseSources } from './sources.ts'

const main = { uri: 'http://mirror.example/debian/', components: ['main', 'non-free-firmware'] }

for (const { form, file, text, found } of [
  {
    form: 'deb822 with two suites and a comment inside',
    file: 'debian.sources',
    text: `Types: deb deb-src
# the nearest mirror
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
    found: ['trixie', 'trixie-updates'].map((suite) => ({
      ...main,
      file: 'debian.sources',
      suite,
      signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
    })),
  },
  {
    form: 'deb822 with a disabled stanza, a deb-src stanza, and field names in capitals',
    file: 'x.sources',
    text: `Types: deb\nEnabled: no\nURIs: http://a.example\nSuites: s\nComponents: c\n\nTypes: deb-src\nURIs: http://b.example\nSuites: s\nComponents: c\n  \nTYPES: deb\nURIS: http://c.example/\nSUITES: s\nCOMPONENTS: c\n`,
    found: [{ file: 'x.sources', uri: 'http://c.example/', suite: 's', components: ['c'], signedBy: undefined }],
  },
  {
    form: 'deb822 with a key inside',
    file: 'key.sources',
    text: 'Types: deb\nURIs: http://a.example/\nSuites: ./\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n',
    found: [
      {
        file: 'key.sources',
        uri: 'http://a.example/',
        suite: './',
        components: [],
        signedBy: '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF\n-----END PGP PUBLIC KEY BLOCK-----',
      },
    ],
  },
  {
    form: 'one line, with options, comments, sources and rubbish around',
    file: 'sources.list',
    text: `# deb http://old.example/ x main
deb [arch=amd64 signed-by=/etc/apt/keyrings/k.gpg] http://mirror.example/debian bookworm main non-free-firmware # mine
deb-src http://mirror.example/debian bookworm main
nonsense
deb\thttp://mirror.example/debian/\tbookworm-updates main  non-free-firmware`,
    found: [
      { ...main, file: 'sources.list', suite: 'bookworm', signedBy: '/etc/apt/keyrings/k.gpg' },
      { ...main, file: 'sources.list', suite: 'bookworm-updates', signedBy: undefined },
    ],
  },
  { form: 'an empty file', file: 'sources.list', text: '', found: [] },
])
  test(`reads ${form}`, () => expect(parseSources(file, text)).toEqual(found))

test('index targets: what apt does not know stays undefined, and only package indices count', () => {
  const line = (...values: string[]) => values.join('\t')
  expect(
    parseIndexTargets(
      [
        line('Packages', 'http://a/debian', 'bookworm', 'main', 'Debian', 'Debian', 'bookworm'),
        line('Translations', 'http://a/debian/', 'bookworm', 'main', 'Debian', 'Debian', 'bookworm'),
        line('Packages', 'http://b/', 'sid', 'main', '$(ORIGIN)', '$(LABEL)', '$(CODENAME)'),
        '',
      ].join('\n'),
    ),
  ).toEqual([
    { uri: 'http://a/debian/', release: 'bookworm', component: 'main', origin: 'Debian', label: 'Debian', codename: 'bookworm' },
    { uri: 'http://b/', release: 'sid', component: 'main', origin: undefined, label: undefined, codename: undefined },
  ])
  expect(INDEX_FORMAT).toContain('$(REPO_URI)')
})
