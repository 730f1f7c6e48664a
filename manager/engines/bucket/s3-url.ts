/** Where an S3 bucket is, and who asks. */
export interface S3Place {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly bucket: string
  /** Before every key: empty, or ends in a slash. */
  readonly prefix: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
}

export class S3UrlError extends Error {
  readonly code = 's3_url'
}

const SHAPE = 'https://host[:port]/bucket[/prefix]'
/** As AWS has them; other servers allow no more. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const PREFIX = /^(?:[\w.-]{1,100}\/){0,5}$/

/**
 * Reads S3_URL; credentials come by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as every S3 tool takes them, the region by AWS_REGION.
 * Throws S3UrlError, which names the variable and repeats no secret.
 */
export function parseS3Url(text: string, env: Readonly<Record<string, string | undefined>>): S3Place {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new S3UrlError(`S3_URL: expected ${SHAPE}`)
  if (url.username !== '' || url.password !== '')
    throw new S3UrlError('S3_URL: credentials do not belong in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  if (url.search !== '' || url.hash !== '') throw new S3UrlError(`S3_URL: expected ${SHAPE}, without ? and #`)
  const [, bucket = '', ...rest] = url.pathname.split('/')
  if (!BUCKET.test(bucket)) throw new S3UrlError(`S3_URL: "${bucket}" names no bucket; expected ${SHAPE}`)
  const segments = rest.filter((segment) => segment !== '')
  const prefix = segments.map((segment) => `${segment}/`).join('')
  if (!PREFIX.test(prefix)) throw new S3UrlError(`S3_URL: prefix "${prefix}": expected segments of letters, digits and . _ -`)
  const { AWS_ACCESS_KEY_ID: accessKey = '', AWS_SECRET_ACCESS_KEY: secretKey = '', AWS_REGION: region = 'us-east-1' } = env
  for (const [name, value] of Object.entries({ AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }))
    if (value === '') throw new S3UrlError(`${name}: S3_URL is set, so this is needed too`)
  const tls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(url.port || (tls ? 443 : 80)), tls, bucket, prefix, region, accessKey, secretKey }
}
