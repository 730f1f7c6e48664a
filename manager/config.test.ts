import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'

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
