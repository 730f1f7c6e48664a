import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client } from 'minio'
import { freePort } from './free-port.ts'

/** An S3 server that is not ours: OpenStack Swift with its S3 API (Debian's python3-swift), which checks every signature. */
export interface S3Server {
  port: number
  accessKey: string
  secretKey: string
  /** Makes a bucket. */
  make(bucket: string): Promise<void>
  stop(): Promise<void>
}

const USER = 'test:tester'
const SECRET = 'the-secret-of-the-tester'

/** One process with proxy, account, container and object servers, on one device. `directory` holds everything. */
export async function startSwift(directory: string): Promise<S3Server> {
  const ports = await Promise.all([1, 2, 3, 4].map(() => freePort()))
  const [port = 0, account = 0, container = 0, object = 0] = ports
  await mkdir(join(directory, 'node', 'disk'), { recursive: true })
  const common = (bindPort: number) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${bindPort}
swift_dir = ${directory}
devices = ${join(directory, 'node')}
mount_check = false
workers = 0
user = root
log_statsd_host =
disable_fallocate = true
`
  const server = (kind: string, bindPort: number) =>
    writeFile(
      join(directory, `${kind}-server.conf`),
      `${common(bindPort)}[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`,
    )
  await server('account', account)
  await server('container', container)
  await server('object', object)
  await writeFile(
    join(directory, 'proxy-server.conf'),
    `${common(port)}[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_${USER.replace(':', '_')} = ${SECRET} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`,
  )
  await writeFile(
    join(directory, 'swift.conf'),
    '[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n[storage-policy:0]\nname = one\ndefault = yes\n',
  )
  await writeFile(join(directory, 'serve.py'), SERVE)
  const child = spawn('/usr/bin/python3', [join(directory, 'serve.py'), directory, String(account), String(container), String(object)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line)
      if (last.length > 30) last.shift()
    })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const client = new Client({
    endPoint: '127.0.0.1',
    port,
    useSSL: false,
    accessKey: USER,
    secretKey: SECRET,
    region: 'us-east-1',
  })
  for (let waited = 0; ; waited += 200)
    try {
      await client.listBuckets()
      break
    } catch (error) {
      if (waited >= 20_000 || child.exitCode !== null) {
        child.kill('SIGKILL')
        throw new Error(`Swift did not start: ${last.join('\n')}`, { cause: error })
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  return {
    port,
    accessKey: USER,
    secretKey: SECRET,
    make: (bucket) => client.makeBucket(bucket),
    async stop() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** Builds the rings (which device holds what), then runs all four servers in one process as green threads. */
const SERVE = `
import configparser, logging, sys
import eventlet, eventlet.wsgi
eventlet.monkey_patch()
directory, ports = sys.argv[1], sys.argv[2:5]
from swift.common import storage_policy, utils
utils.SWIFT_CONF_FILE = directory + '/swift.conf'
utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b''
utils.validate_hash_conf()
storage_policy.reload_storage_policies()
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp
for kind, port in zip(('account', 'container', 'object'), ports):
    builder = RingBuilder(2, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1, 'device': 'disk', 'ip': '127.0.0.1', 'port': int(port),
                     'replication_ip': '127.0.0.1', 'replication_port': int(port)})
    builder.rebalance()
    builder.get_ring().save(directory + '/%s.ring.gz' % kind)
quiet = logging.getLogger('quiet')
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
pool = eventlet.GreenPool(2000)
for kind in ('account', 'container', 'object', 'proxy'):
    path = directory + '/%s-server.conf' % kind
    settings = configparser.RawConfigParser()
    settings.read(path)
    listener = eventlet.listen(('127.0.0.1', settings.getint('DEFAULT', 'bind_port')))
    pool.spawn(eventlet.wsgi.server, listener, loadapp(path), log=quiet, log_output=False)
pool.waitall()
`
