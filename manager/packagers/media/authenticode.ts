import { createHash, verify, X509Certificate } from 'node:crypto'
import type { CpuArch } from '@bridgehead/shared/model/state.ts'
import { type DerValue, membersOf, oidOf, readDer } from './der.ts'

/** A program that firmware with Secure Boot would refuse whatever keys it has; the message says why. */
export class SignatureError extends Error {
  readonly code = 'signature'
}

/** One signature that fits the program. Whether a machine trusts the signer is up to the keys in its firmware. */
export interface Signature {
  /** Common names, or the whole name where there is none. */
  signer: string
  issuer: string
  digest: string
}

const MACHINES: Record<number, CpuArch> = { 34404: 'x86_64', 43620: 'arm64' } // 0x8664, 0xaa64
const SIGNED_DATA = '1.2.840.113549.1.7.2'
const SPC_INDIRECT_DATA = '1.3.6.1.4.1.311.2.1.4'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
/** SHA-1 and MD5 are missing: no firmware should believe them. */
const DIGESTS: Record<string, string> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/**
 * The signatures of an EFI program (PE file, Authenticode; UEFI 2.10 §32.2.4), each checked against the program's bytes and its signer's
 * certificate. Throws SignatureError when it is no EFI program for `architecture`, is unsigned, or one signature does not fit.
 */
export function signaturesOf(file: Uint8Array, architecture: CpuArch): Signature[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const program = layoutOf(bytes)
  if (program.architecture !== architecture)
    throw new SignatureError(
      `this EFI program is for ${program.architecture ?? 'another kind of machine'}; expected one for ${architecture}`,
    )
  const { start, end } = program.table
  if (start === end) throw new SignatureError('this EFI program carries no signature; firmware with Secure Boot would refuse it')
  const found: Signature[] = []
  // WIN_CERTIFICATE: length (with this head), revision, type 2 = PKCS#7; each begins at a multiple of 8
  for (let at = start; at + 8 <= end; ) {
    const length = bytes.readUInt32LE(at)
    if (length < 8 || at + length > end) throw new SignatureError('the table of signatures is broken')
    if (bytes.readUInt16LE(at + 6) === 2) found.push(checked(bytes.subarray(at + 8, at + length), bytes, program))
    at += Math.ceil(length / 8) * 8
  }
  if (found.length === 0) throw new SignatureError('this EFI program carries no signature of a kind that Secure Boot knows (PKCS#7)')
  return found
}

interface Layout {
  architecture: CpuArch | undefined
  /** Fields that are left out of the digest: the checksum and the entry that names the table. */
  checksum: number
  entry: number
  table: { start: number; end: number }
}

function layoutOf(bytes: Buffer): Layout {
  const broken = () => new SignatureError('this is no EFI program (PE32+ file)')
  if (bytes.length < 64 || bytes.toString('latin1', 0, 2) !== 'MZ') throw broken()
  const pe = bytes.readUInt32LE(0x3c)
  const optional = pe + 24
  if (optional + 152 > bytes.length || bytes.toString('latin1', pe, pe + 4) !== 'PE\0\0' || bytes.readUInt16LE(optional) !== 0x20b)
    throw broken()
  const entry = optional + 112 + 4 * 8 // data directory 4: certificate table, by its offset in the file
  const start = bytes.readUInt32LE(entry)
  const end = start + bytes.readUInt32LE(entry + 4)
  if (end > bytes.length || (start !== end && start < entry + 8)) throw new SignatureError('the table of signatures lies outside the file')
  return { architecture: MACHINES[bytes.readUInt16LE(pe + 4)], checksum: optional + 64, entry, table: { start, end } }
}

function checked(pkcs7: Buffer, bytes: Buffer, program: Layout): Signature {
  try {
    return check(pkcs7, bytes, program)
  } catch (cause) {
    if (cause instanceof SignatureError) throw cause
    throw new SignatureError(`a signature cannot be read (${(cause as Error).message})`, { cause })
  }
}

/** PKCS#7 SignedData (RFC 2315 §9) around SpcIndirectDataContent, which holds the program's digest. */
function check(pkcs7: Buffer, bytes: Buffer, program: Layout): Signature {
  const [kind, wrapped] = membersOf(readDer(pkcs7))
  if (oidOf(kind) !== SIGNED_DATA) throw new SignatureError('a signature is not PKCS#7 SignedData')
  const members = membersOf(membersOf(wrapped)[0])
  const [contentKind, contentBox] = membersOf(members[2])
  const content = membersOf(contentBox)[0]
  if (oidOf(contentKind) !== SPC_INDIRECT_DATA || content === undefined) throw new SignatureError('a signature is not about an EFI program')

  const [algorithm, digest] = membersOf(membersOf(content)[1])
  const hash = digestName(membersOf(algorithm)[0])
  if (digest === undefined || !digestOf(bytes, program, hash).equals(digest.content))
    throw new SignatureError('the program was changed after it was signed: its digest is another one than the signature says')

  const certificates = membersOf(members.find(({ tag }) => tag === 0xa0)).map(({ whole }) => new X509Certificate(whole))
  const info = membersOf(membersOf(members.at(-1))[0])
  const serial = membersOf(info[1])[1]
  const certificate = certificates.find((one) => serial !== undefined && BigInt(`0x${one.serialNumber}`) === integerOf(serial))
  if (!certificate) throw new SignatureError("the signer's certificate is not among those beside the signature")
  checkSignature(info, content, certificate)
  return { signer: commonName(certificate.subject), issuer: commonName(certificate.issuer), digest: hash }
}

/** The signature covers attributes, and one of them is the content's digest (RFC 2315 §9.3). */
function checkSignature(info: DerValue[], content: DerValue, certificate: X509Certificate): void {
  const attributes = info.find(({ tag }) => tag === 0xa0)
  const hash = digestName(membersOf(info[2])[0])
  const signature = info.find(({ tag }) => tag === 0x04)
  const digest = membersOf(attributes)
    .map((attribute) => membersOf(attribute))
    .find(([name]) => oidOf(name) === MESSAGE_DIGEST)?.[1]
  const named = membersOf(digest)[0]?.content
  if (!attributes || !signature || !named) throw new SignatureError('a signature lacks its signed attributes')
  const signed = Buffer.concat([Buffer.from([0x31]), attributes.whole.subarray(1)]) // as SET OF, not as the tag it has here
  const fits = createHash(hash).update(content.content).digest().equals(named)
  if (!fits || !verify(hash, signed, certificate.publicKey, signature.content))
    throw new SignatureError(`a signature does not fit the key of its signer, ${commonName(certificate.subject)}`)
}

function digestOf(bytes: Buffer, { checksum, entry, table }: Layout, algorithm: string): Buffer {
  const end = table.start === table.end ? bytes.length : table.start
  const hash = createHash(algorithm)
  const parts = [
    bytes.subarray(0, checksum),
    bytes.subarray(checksum + 4, entry),
    bytes.subarray(entry + 8, end),
    bytes.subarray(table.end),
  ]
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function digestName(oid: DerValue | undefined): string {
  const name = DIGESTS[oidOf(oid)]
  if (name === undefined) throw new SignatureError(`a signature uses the digest ${oidOf(oid)}; expected SHA-256, SHA-384 or SHA-512`)
  return name
}

const integerOf = ({ content }: DerValue) => BigInt(`0x${Buffer.from(content).toString('hex') || '0'}`)
const commonName = (name: string) => /^CN=(.*)$/m.exec(name)?.[1] ?? name.replaceAll('\n', ', ')
