import { expect, test } from 'vitest'
import { planMake } from './make-plan.ts'
import { IpxeOptions } from './options.ts'

const options = IpxeOptions.parse({})
const base = {
  platform: 'bin',
  targets: ['bin/undionly.kpxe'],
  options,
  script: '#!ipxe\necho one\n',
  version: '2.0.0',
  epoch: 1_772_812_135,
  machine: 'x64',
  jobs: 2,
} as const

test('a script is a file of its own, by the same name for all', () => {
  const { argv, input, env } = planMake(base)
  expect(argv.slice(0, 4)).toEqual(['make', '-j2', 'bin/undionly.kpxe', 'EMBED=/input/embedded.ipxe'])
  expect(input).toEqual({ 'embedded.ipxe': '#!ipxe\necho one\n' })
  expect(env.SOURCE_DATE_EPOCH).toBe('1772812135')
})

test('without a script none is embedded', () => {
  const { argv, input } = planMake({ ...base, script: undefined })
  expect(argv).toContain('EMBED=')
  expect(input).toEqual({})
})

for (const { version, says } of [
  { version: '1.21.1', says: ['VERSION_MAJOR=1', 'VERSION_MINOR=21', 'VERSION_PATCH=1', 'EXTRAVERSION='] },
  { version: '1.21.1+git20250501.dad20602+dfsg-1', says: ['VERSION_MINOR=21', 'EXTRAVERSION=+'] },
  { version: '1.21.1-2', says: ['EXTRAVERSION='] },
  { version: '0+3f3af0eed366', says: [] },
])
  test(`version ${version} makes ${says.join(' ') || 'no claim'}`, () => {
    const { argv } = planMake({ ...base, version })
    for (const part of says) expect(argv).toContain(part)
    if (says.length === 0) expect(argv.some((part) => part.startsWith('VERSION_'))).toBe(false)
  })

test('the build id follows what is built, and neither path nor number of processors', () => {
  const id = (wish: Partial<Parameters<typeof planMake>[0]>) =>
    planMake({ ...base, ...wish }).argv.find((part) => part.startsWith('BUILD_ID_CMD='))
  expect(id({ jobs: 8 })).toBe(id({}))
  expect(id({ script: '#!ipxe\necho two\n' })).not.toBe(id({}))
  expect(id({ options: { ...options, https: true } })).not.toBe(id({}))
})

test('make is told the compiler of the platform', () => {
  expect(planMake(base).argv).toContain('CROSS_COMPILE=')
  expect(planMake({ ...base, platform: 'bin-arm64-efi' }).argv).toContain('CROSS_COMPILE=aarch64-linux-gnu-')
})
