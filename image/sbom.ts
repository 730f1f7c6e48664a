/** Something that lies in an image. */
export interface Component {
  name: string
  version: string
  from: 'debian' | 'npm'
  /** Debian: of the .deb. */
  sha256?: string | undefined
  /** SPDX licence expression; Debian's packages bring their licences as texts instead. */
  licence?: string | undefined
  architecture?: string | undefined
}

/** A software bill of materials, SPDX 2.3 as JSON, sorted, so that equal images have equal ones. `time`: seconds since 1970. */
export function formatSbom(image: { name: string; version: string; time: number; id: string }, components: readonly Component[]): string {
  const sorted = [...components].sort((a, b) => (`${a.from} ${a.name} ${a.version}` < `${b.from} ${b.name} ${b.version}` ? -1 : 1))
  const packages = sorted.map((one, index) => ({
    SPDXID: `SPDXRef-${index + 1}`,
    name: one.name,
    versionInfo: one.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: isExpression(one.licence) ? one.licence : 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(one.sha256 === undefined ? {} : { checksums: [{ algorithm: 'SHA256', checksumValue: one.sha256 }] }),
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: packageUrl(one) }],
  }))
  const root = {
    SPDXID: 'SPDXRef-image',
    name: image.name,
    versionInfo: image.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
  }
  return `${JSON.stringify(
    {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name: `${image.name}-${image.version}`,
      documentNamespace: `urn:bridgehead:appliance-image:${image.id}`,
      creationInfo: { created: new Date(image.time * 1000).toISOString().replace('.000Z', 'Z'), creators: ['Tool: bridgehead-image'] },
      packages: [root, ...packages],
      relationships: [
        { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: root.SPDXID },
        ...packages.map(({ SPDXID }) => ({ spdxElementId: root.SPDXID, relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID })),
      ],
    },
    null,
    1,
  )}\n`
}

/** https://github.com/package-url/purl-spec */
function packageUrl({ from, name, version, architecture }: Component): string {
  const at = encodeURIComponent(version)
  if (from === 'npm') return `pkg:npm/${name.replace(/^@/, '%40')}@${at}`
  return `pkg:deb/debian/${encodeURIComponent(name)}@${at}${architecture === undefined ? '' : `?arch=${architecture}`}`
}

function isExpression(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9.()+ -]+$/.test(text)
}
