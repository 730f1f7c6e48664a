import { X509Certificate } from 'node:crypto'

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g
/** Curves that iPXE 2.0.0 knows; older ones know RSA alone. */
const CURVES = ['prime256v1', 'secp384r1']

export interface Certificate {
  pem: string
  subject: string
  key: 'rsa' | 'ec'
}

/**
 * The certificates of a PEM text, in order. Throws TypeError (a sentence without the field's name) when there is none, when one cannot be
 * read, when its key is of a kind that iPXE cannot check, or when a private key lies among them.
 */
export function certificatesIn(text: string): Certificate[] {
  const blocks = [...text.matchAll(BLOCK)]
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw new TypeError('holds a private key; give certificates alone, because whoever gets the loader can read what is in it')
  const left = text.replace(BLOCK, '')
  if (left.includes('-----BEGIN')) throw new TypeError('a PEM block has no matching end line')
  if (blocks.length === 0) throw new TypeError('expected certificates in PEM form (-----BEGIN CERTIFICATE-----)')
  return blocks.map(([pem, kind], index) => {
    if (kind !== 'CERTIFICATE') throw new TypeError(`block ${index + 1} is a ${kind}; expected CERTIFICATE`)
    return read(pem, index + 1)
  })
}

function read(pem: string, number: number): Certificate {
  const certificate = parse(pem, number)
  const subject = certificate.subject?.replaceAll('\n', ', ') ?? ''
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey
  if (type === 'rsa') return { pem: normal(certificate), subject, key: 'rsa' }
  if (type === 'ec' && CURVES.includes(details?.namedCurve ?? '')) return { pem: normal(certificate), subject, key: 'ec' }
  const what = type === 'ec' ? `an EC key on ${details?.namedCurve ?? 'an unknown curve'}` : `a key of type ${type ?? 'unknown'}`
  throw new TypeError(`certificate ${number} (${subject}) has ${what}; iPXE checks RSA, P-256 and P-384`)
}

function parse(pem: string, number: number): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new TypeError(`certificate ${number} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Its own bytes in the usual form, so that white space in the request makes no other loader. */
const normal = (certificate: X509Certificate) => certificate.toString().trimEnd()
