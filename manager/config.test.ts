import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'
import { readWorkerConfig } from './worker-config.ts'

test('without any setting everything has a value', () => {
  expect(readConfig({ PATH: '/usr/bin', BRIDGEHEAD_LOG: '' })).toEqual({
    data: resolve('.bridgehead/manager'),
    http: { host: '127.0.0.1', port: 8420 },
    https: { host: '::', port: 8443 },
    publicUrl: 'https://localhost:8443',
    overlay: { on: true, port: 51_820, endpoint: 'localhost:51820', interfaceName: 'bridgehead0' },
    uplinkPort: 8480,
    redis: { port: 6390, url: undefined },
    bucket: resolve('.bridgehead/manager/bucket'),
    s3: undefined,
    work: ['build', 'package'],
    sources: {},
    log: 'info',
    unknown: [],
  })
})

test('what follows from other settings follows', () => {
  const config = readConfig({
    BRIDGEHEAD_DATA: '/var/lib/bridgehead',
    BRIDGEHEAD_PUBLIC_URL: 'https://[2001:db8::1]:9443/',
    BRIDGEHEAD_OVERLAY: 'off',
    BRIDGEHEAD_OVERLAY_PORT: '1234',
    REDIS_URL: 'rediss://user:secret@redis.example:6380/2',
  })
  expect(config.bucket).toBe('/var/lib/bridgehead/bucket')
  expect(config.publicUrl).toBe('https://[2001:db8::1]:9443')
  expect(config.overlay).toMatchObject({ on: false, endpoint: '[2001:db8::1]:1234' })
  expect(config.redis.url).toBe('rediss://user:secret@redis.example:6380/2')
  expect(Object.isFrozen(config)).toBe(true)
})

test('a variable that means nothing here is told, not refused', () => {
  expect(readConfig({ BRIDGEHEAD_REDIS: '1', BRIDGEHEAD_PORTS: 'dns=53', OTHER: '1' }).unknown).toEqual([
    'BRIDGEHEAD_REDIS',
    'BRIDGEHEAD_PORTS',
  ])
})

test('an S3 bucket has its place, and its credentials by the usual variables', () => {
  const env = { S3_URL: 'https://s3.example/artifacts/bridge/', AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'secret' }
  const place = { host: 's3.example', port: 443, tls: true, bucket: 'artifacts', prefix: 'bridge/', region: 'us-east-1' }
  expect(readConfig(env).s3).toEqual({ ...place, accessKey: 'me', secretKey: 'secret' })
  const local = { ...env, S3_URL: 'http://[::1]:9000/artifacts', AWS_REGION: 'garage' }
  expect(readConfig(local).s3).toMatchObject({ host: '::1', port: 9000, tls: false, prefix: '', region: 'garage' })
  for (const url of ['https://me:secret@s3.example/artifacts', 'https://s3.example/artifacts?key=secret'])
    expect(() => readConfig({ ...env, S3_URL: url })).toThrow(/^S3_URL((?!secret).)*$/)
})

test('a worker finds the manager on its own machine, or is told all it needs', () => {
  expect(readWorkerConfig({ BRIDGEHEAD_DATA: '/var/lib/b' })).toEqual({
    work: '/var/lib/b/work',
    redis: { socket: '/var/lib/b/redis/redis.sock', username: 'worker', passwordFile: '/var/lib/b/redis/worker-password' },
    bucket: { directory: '/var/lib/b/bucket' },
    log: 'info',
  })
  const far = { REDIS_URL: 'redis://worker:secret@10.0.0.1:6390', AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'secret' }
  expect(readWorkerConfig({ ...far, S3_URL: 'https://s3.example/artifacts' })).toMatchObject({
    work: resolve('.bridgehead/worker/work'),
    redis: { url: far.REDIS_URL },
    bucket: { s3: { host: 's3.example' } },
  })
  expect(() => readWorkerConfig(far)).toThrow('S3_URL or BRIDGEHEAD_BUCKET')
  expect(() => readWorkerConfig({ REDIS_URL: 'http://:secret@redis' })).toThrow(/^REDIS_URL((?!secret).)*$/)
})

test('a wrong REDIS_URL is not repeated: it may hold a password', () => {
  expect(() => readConfig({ REDIS_URL: 'http://:secret@redis' })).toThrow(/^((?!secret).)*$/)
})

test.each([
  { env: { BRIDGEHEAD_HTTP: '8420' }, says: ['BRIDGEHEAD_HTTP', 'host:port', '"8420"'] },
  { env: { BRIDGEHEAD_HTTPS: '::1:8443' }, says: ['BRIDGEHEAD_HTTPS', 'host:port'] },
  { env: { BRIDGEHEAD_HTTP: 'localhost:70000' }, says: ['BRIDGEHEAD_HTTP', 'host:port'] },
  { env: { BRIDGEHEAD_PUBLIC_URL: 'manager.example' }, says: ['BRIDGEHEAD_PUBLIC_URL', 'https://manager.example:8443'] },
  { env: { BRIDGEHEAD_OVERLAY: 'yes' }, says: ['BRIDGEHEAD_OVERLAY', 'on or off', '"yes"'] },
  { env: { BRIDGEHEAD_OVERLAY_PORT: '0' }, says: ['BRIDGEHEAD_OVERLAY_PORT', '1 to 65535'] },
  { env: { BRIDGEHEAD_OVERLAY_ENDPOINT: 'manager.example' }, says: ['BRIDGEHEAD_OVERLAY_ENDPOINT', 'host:port'] },
  { env: { BRIDGEHEAD_OVERLAY_INTERFACE: 'a-name-that-is-too-long' }, says: ['BRIDGEHEAD_OVERLAY_INTERFACE', '15'] },
  { env: { BRIDGEHEAD_UPLINK_PORT: 'http' }, says: ['BRIDGEHEAD_UPLINK_PORT', 'port number'] },
  { env: { BRIDGEHEAD_REDIS_PORT: '99999' }, says: ['BRIDGEHEAD_REDIS_PORT', 'port number'] },
  { env: { REDIS_URL: 'http://redis' }, says: ['REDIS_URL', 'redis://'] },
  { env: { BRIDGEHEAD_WORK: 'biuld' }, says: ['BRIDGEHEAD_WORK', 'build,package', '"biuld"'] },
  { env: { S3_URL: 's3.example/bucket' }, says: ['S3_URL', 'https://host'] },
  { env: { S3_URL: 'https://s3.example/bucket' }, says: ['AWS_ACCESS_KEY_ID'] },
  { env: { S3_URL: 'https://s3.example/b', BRIDGEHEAD_BUCKET: 'b' }, says: ['BRIDGEHEAD_BUCKET', 'S3_URL', 'one of them'] },
  { env: { BRIDGEHEAD_LOG: 'loud' }, says: ['BRIDGEHEAD_LOG', 'debug', '"loud"'] },
  { env: { BRIDGEHEAD_LOG: 'loud', BRIDGEHEAD_OVERLAY: '1' }, says: ['BRIDGEHEAD_LOG', 'BRIDGEHEAD_OVERLAY'] },
])('$env is refused by name', ({ env, says }) => {
  const error = (() => {
    try {
      return readConfig(env)
    } catch (caught) {
      return caught
    }
  })()
  expect(error).toBeInstanceOf(ConfigError)
  for (const word of says) expect(String(error)).toContain(word)
})
