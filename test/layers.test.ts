import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

/** Who may import what. `from` and `to` are path prefixes; a rule forbids. Tests may look everywhere. */
const RULES: readonly { from: RegExp; to: RegExp; why: string }[] = [
  { from: /^shared\//, to: /^(appliance|manager|image|test)\//, why: 'shared is what both ends say; it knows neither' },
  { from: /^shared\/(wire|model|boot|dns)\//, to: /^(node:|execa|pino)/, why: 'cores do no I/O and run in a browser too' },
  { from: /^appliance\//, to: /^(manager|image|test)\//, why: 'appliance and manager meet in shared only' },
  { from: /^manager\//, to: /^(appliance|test)\//, why: 'appliance and manager meet in shared only' },
  { from: /^image\//, to: /^(appliance|manager|test)\//, why: "image describes the appliance's disk; the manager's packager builds it" },
  { from: /^image\//, to: /^node:/, why: 'image is values and pure functions, and files for the box' },
  { from: /^manager\/engines\//, to: /^manager\/(?!engines\/|config)/, why: 'engines know no category' },
  {
    from: /^manager\/builders\//,
    to: /^manager\/(packagers|sites|distributors|registries|scripts)\//,
    why: 'categories are used downwards',
  },
  { from: /^manager\/(registries|scripts)\//, to: /^manager\/sites\//, why: 'sites -> registries, scripts; never upwards' },
  { from: /decide\.ts$/, to: /^node:/, why: 'decisions are pure' },
]

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx'], { encoding: 'utf8' }).trim().split('\n')
const product = files.filter((file) => !/\.test\.ts$|^vitest|^test\//.test(file))

/** Import specifiers in `text`, the source of `file`, as paths from the root; packages as they are written. */
function importsOf(file: string, text: string): string[] {
  const pattern = /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/gms
  return [...text.matchAll(pattern)].map((found) => {
    const name = found[1] ?? found[2] ?? found[3] ?? ''
    return name.startsWith('.') ? normalize(join(dirname(file), name)) : name.replace(/^@bridgehead\//, '')
  })
}

function offences(file: string, text: string): string[] {
  const room = (path: string) => /^appliance\/distributors\/([^/]+)\//.exec(path)?.[1]
  return importsOf(file, text).flatMap((target) => {
    const broken = RULES.filter((rule) => rule.from.test(file) && rule.to.test(target)).map((rule) => rule.why)
    if (room(file) && room(target) && room(file) !== room(target))
      broken.push('no distributor imports another; main fills their interfaces')
    return broken.map((why) => `${file} imports ${target}: ${why}`)
  })
}

test('imports point down only', () => {
  expect(product.length).toBeGreaterThan(20)
  expect(product.flatMap((file) => offences(file, readFileSync(file, 'utf8')))).toEqual([])
})

for (const row of [
  { file: 'appliance/main.ts', text: "import { a } from '@bridgehead/manager/main.ts'", names: 'manager/main.ts' },
  {
    file: 'appliance/distributors/dhcp/server.ts',
    text: "import type { A } from '../dns/server.ts'",
    names: 'appliance/distributors/dns/server.ts',
  },
  { file: 'shared/wire/dhcp.ts', text: "import { readFileSync } from 'node:fs'", names: 'node:fs' },
  { file: 'manager/registries/records.ts', text: "export { b } from '../sites/records.ts'", names: 'manager/sites/records.ts' },
  { file: 'manager/engines/bus/redis.ts', text: "const a = await import('../../api/app.ts')", names: 'manager/api/app.ts' },
])
  test(`${row.file} importing ${row.names} is named`, () => {
    expect(offences(row.file, row.text).join()).toContain(`${row.file} imports ${row.names}`)
  })
