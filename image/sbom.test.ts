import { expect, test } from 'vitest'
import { type Component, formatSbom } from './sbom.ts'

const image = { name: 'bridgehead-appliance-x86_64', version: '0.1.0', time: 1_790_000_000, id: 'abc' }
const parts: Component[] = [
  { name: 'zod', version: '4.6.7', from: 'npm', licence: 'MIT' },
  { name: 'nftables', version: '1.1.3-1', from: 'debian', sha256: 'f'.repeat(64), architecture: 'amd64' },
  { name: '@scope/pkg', version: '1.0.0', from: 'npm', licence: 'SEE LICENSE IN <file>' },
]

test('each part has its version, where it is from, and its checksum or licence', () => {
  const sbom = JSON.parse(formatSbom(image, parts))
  expect(sbom).toMatchObject({ spdxVersion: 'SPDX-2.3', creationInfo: { created: '2026-09-21T14:13:20Z' } })
  const [root, nft, scoped, zod] = sbom.packages
  expect(root.name).toBe('bridgehead-appliance-x86_64')
  expect(nft.checksums).toEqual([{ algorithm: 'SHA256', checksumValue: 'f'.repeat(64) }])
  expect([nft, scoped, zod].map((one) => one.externalRefs[0].referenceLocator)).toEqual([
    'pkg:deb/debian/nftables@1.1.3-1?arch=amd64',
    'pkg:npm/%40scope/pkg@1.0.0',
    'pkg:npm/zod@4.6.7',
  ])
  expect([scoped, zod].map((one) => one.licenseDeclared)).toEqual(['NOASSERTION', 'MIT'])
  expect(sbom.relationships).toHaveLength(1 + parts.length)
})

test('the order in which parts are told does not matter', () => {
  expect(formatSbom(image, [...parts].reverse())).toBe(formatSbom(image, parts))
})
