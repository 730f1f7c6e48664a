import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CliRig, startCliRig } from './test-rig.ts'

let rig: CliRig
beforeAll(async () => {
  rig = await startCliRig()
  for (const name of ['berlin', 'paris']) await rig.cli(['site', 'add', name, '--lan', '192.168.1.2/24', '--tag', `city=${name}`])
})
afterAll(() => rig.close())

const file = () => join(rig.directory, 'bridgehead', 'config.json')

test('without a login it says how to log in', async () => {
  expect(await rig.cli(['site', 'ls'], { env: {} })).toEqual({
    code: 1,
    stdout: '',
    stderr: `bridgehead: nobody is logged in here
  → log in: bridgehead login --url https://MANAGER:8443
  → or set BRIDGEHEAD_URL and BRIDGEHEAD_KEY
`,
  })
})

test('login asks for the key, tries it, and keeps it for its owner alone', async () => {
  const asked = await rig.cli(['login', '--url', rig.url], { env: {}, answers: [rig.key] })
  expect(asked).toEqual({
    code: 0,
    stdout: `logged in to ${rig.url} as laptop; the key is kept in ${file()}\n`,
    stderr: 'API key (nothing is shown): ',
  })
  expect((await stat(file())).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({ url: rig.url, key: rig.key })
  expect((await rig.cli(['whoami'], { env: {} })).stdout).toContain(`laptop at ${rig.url}\n  scopes  admin\n`)
  const piped = await rig.cli(['login', '--json'], { env: {}, stdin: `${rig.key}\n` })
  expect(JSON.parse(piped.stdout)).toMatchObject({ url: rig.url, actor: { name: 'laptop' }, scopes: ['admin'] })
})

test('a wrong key is not kept', async () => {
  const wrong = await rig.cli(['login', '--url', rig.url, '--key', 'bh_wrong'], { env: {} })
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('the manager does not know this API key')])
  expect(JSON.parse(await readFile(file(), 'utf8')).key).toBe(rig.key)
})

test('a broken file is named, and login mends it', async () => {
  await writeFile(file(), '{')
  expect((await rig.cli(['whoami'], { env: {} })).stderr).toContain(`${file()} is not what login wrote\n  → log in again`)
  expect((await rig.cli(['login', '--url', rig.url], { env: {}, stdin: rig.key })).code).toBe(0)
})

test('the kept key goes to no other manager', async () => {
  const other = await rig.cli(['whoami'], { env: { BRIDGEHEAD_URL: 'http://127.0.0.1:2' } })
  expect(other.stderr).toContain(`BRIDGEHEAD_URL is http://127.0.0.1:2, but the key at hand is for ${rig.url}`)
})

test('a list answers first, then shows what needs somebody', async () => {
  expect((await rig.cli(['site', 'ls'])).stdout).toBe(`2 sites: 2 need you

  site    state                    lans                  tags
! berlin  waits for its appliance  192.168.1.0/24 proxy  city=berlin
! paris   waits for its appliance  192.168.1.0/24 proxy  city=paris
  → bridgehead site image berlin
  → bridgehead site image paris
`)
})

test('with --json it is what the API says', async () => {
  const { items } = JSON.parse((await rig.cli(['site', 'ls', 'city=paris', '--json'])).stdout)
  expect(items).toMatchObject([{ name: 'paris', tags: { city: 'paris' }, lans: [{ name: 'lan', address: '192.168.1.2', mode: 'proxy' }] }])
})

for (const { typed, args, code, says } of [
  { typed: 'an unknown command', args: ['site', 'lss'], code: 2, says: "error: unknown command 'lss'\n(Did you mean ls?)" },
  { typed: 'an unknown option', args: ['site', 'ls', '--jsn'], code: 2, says: '(Did you mean --json?)' },
  {
    typed: 'a command on hosts without --',
    args: ['run', 'x', 'uname', '-a'],
    code: 2,
    says: "come after --: bridgehead run 'role=edge' -- uname -a\n",
  },
  { typed: 'too little', args: ['site', 'show'], code: 2, says: "missing required argument 'site'" },
  {
    typed: 'a lan without a prefix',
    args: ['site', 'add', 'x', '--lan', '10.0.0.1'],
    code: 2,
    says: 'expected an address with its prefix',
  },
  {
    typed: 'a mode that is none',
    args: ['site', 'add', 'x', '--mode', 'dhcp'],
    code: 2,
    says: "'--mode <mode>' argument 'dhcp' is invalid",
  },
  {
    typed: 'a selector with a typo',
    args: ['host', 'ls', 'rack,role in edge'],
    code: 2,
    says: `  rack,role in edge
               ^
  → such as:`,
  },
  { typed: 'an unknown site', args: ['site', 'show', 'rome'], code: 1, says: 'there is no site "rome"' },
  { typed: 'a site name that exists', args: ['site', 'add', 'paris'], code: 1, says: 'bridgehead: name: ' },
  { typed: 'a wrong name', args: ['site', 'add', 'New York'], code: 2, says: 'name: expected a site name of lower-case letters' },
  {
    typed: 'lans that overlap',
    args: ['site', 'add', 'x', '--lan', '10.0.0.1/8', '--lan', '10.1.0.1/16'],
    code: 2,
    says: 'subnet 10.1.0.0/16 overlaps lan "lan" (10.0.0.0/8) of the same site',
  },
  { typed: 'an unknown host', args: ['host', 'show', 'db1'], code: 1, says: 'there is no host "db1"\n  → bridgehead host ls' },
])
  test(`${typed} is refused with code ${code}`, async () => {
    const said = await rig.cli(args)
    expect([said.code, said.stdout, said.stderr]).toEqual([code, '', expect.stringContaining(says)])
  })

test('with --json a refusal is one object', async () => {
  const { code, stdout, stderr } = await rig.cli(['site', 'show', '--json'])
  expect([code, stdout, JSON.parse(stderr)]).toEqual([
    2,
    '',
    { error: { code: 'usage', message: "missing required argument 'site'", next: [] } },
  ])
})

test('a manager that does not answer', async () => {
  const { code, stderr } = await rig.cli(['site', 'ls'], { env: { BRIDGEHEAD_URL: 'http://127.0.0.1:2', BRIDGEHEAD_KEY: 'x' } })
  expect([code, stderr]).toEqual([
    1,
    `bridgehead: http://127.0.0.1:2 does not answer: connection refused, nothing listens there
  → does the manager run? npm start
  → another address: bridgehead login --url URL
`,
  ])
})

test('a key without the scope, and one that was deleted', async () => {
  const { id, key } = await rig.newKey(['sites:read'])
  const env = { BRIDGEHEAD_URL: rig.url, BRIDGEHEAD_KEY: key }
  expect(
    (await rig.cli(['site', 'add', 'rome'], { env })).stderr,
  ).toBe(`bridgehead: this needs the scope "sites:write"; the key has sites:read
  → ask an owner for an API key with the scope "sites:write", then: bridgehead login
`)
  await rig.deleteKey(id)
  const { code, stderr } = await rig.cli(['site', 'ls', '--json'], { env })
  expect(code).toBe(1)
  expect(JSON.parse(stderr)).toMatchObject({
    error: {
      code: 'unauthenticated',
      message: expect.stringContaining('expired, was deleted'),
      next: [expect.stringContaining('bridgehead login')],
    },
  })
})
