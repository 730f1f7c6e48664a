import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { inNamespace, ipIn, noNamespaces, until } from '../bench/harness.ts'
import { createOfflineManager } from '../lab/offline.ts'

// A flashed box without its image: the daemon with --box in a namespace, a helper of ten lines, a data partition in memory, and a machine on
// the LAN that asks for addresses. The site came by an offline bundle.
const tag = `bhx${process.pid.toString(36)}`
const [BOX, LAN] = [`${tag}b`, `${tag}l`]
const root = mkdtempSync(join(tmpdir(), 'bh-box-'))
const run = join(root, 'run')
const disk = join(root, 'disk')
const file = join(root, 'bridgehead.json')
const screen = join(root, 'ttyS0')
const DISK_MIB = 200 // the artifact cache leaves 128 MiB free
const HELPER = `exec 3<>request
while read -r id verb arg <&3; do
  [ "$verb" != config ] || cat config >${file}
  echo ok >reply/.new && mv reply/.new "reply/$id"
done`
const MAIN = new URL('../../appliance/main.ts', import.meta.url).pathname
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN] as const

const ends: (() => Promise<unknown>)[] = []
const start = (ns: string, argv: readonly [string, ...string[]], options: { cwd?: string } = {}) => {
  const [program, ...args] = inNamespace(ns, argv)
  const child = execa(program, args, { all: true, reject: false, buffer: false, ...options })
  let said = ''
  child.all.on('data', (part) => {
    said += String(part)
  })
  ends.push(async () => {
    child.kill('SIGKILL')
    await child
  })
  return { child, said: () => said, has: (event: string) => said.includes(`"event":"${event}"`) }
}

beforeAll(async () => {
  const why = await noNamespaces()
  if (why !== undefined) throw new Error(`a box needs network namespaces: ${why}`)
  for (const ns of [BOX, LAN]) {
    await execa('ip', ['netns', 'add', ns])
    await ipIn(ns, 'link', 'set', 'lo', 'up')
  }
  await ipIn(BOX, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'lan0', 'netns', LAN)
  await ipIn(LAN, 'link', 'set', 'lan0', 'up')
  for (const directory of [run, disk, join(run, 'helper'), join(run, 'helper', 'reply'), join(run, 'daemon')]) mkdirSync(directory)
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk])
  await execa('mkfifo', [join(run, 'helper', 'request')])
  for (const path of [screen, join(run, 'resolv.conf'), join(run, 'alive')]) writeFileSync(path, '')
  const boot = {
    ...{ board: 'x86_64', slot: 'A', version: '0.1.0', disk: '/dev/sda', boot: '/dev/sda2' },
    slots: { A: { device: join(root, 'slot-a'), bytes: 4096 }, B: { device: join(root, 'slot-b'), bytes: 4096 } },
    ...{ env: { path: join(root, 'grubenv') }, config: file, data: { device: '/dev/sda5', state: 'ok' }, watchdog: null },
    ...{ consoles: [screen], tried: [] },
  }
  writeFileSync(join(run, 'boot.json'), JSON.stringify(boot))
  for (const slot of ['slot-a', 'slot-b']) writeFileSync(join(root, slot), Buffer.alloc(4096))
  const block = '# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n'
  writeFileSync(join(root, 'grubenv'), block.padEnd(1024, '#'))

  const offline = createOfflineManager(join(root, 'bucket'))
  const kernel = await offline.put(Buffer.from('kernel'), 'vmlinuz')
  const ranges = [{ from: '192.168.7.100', to: '192.168.7.150' }]
  const lan = { name: 'main', subnet: '192.168.7.0/24', address: '192.168.7.1', mode: 'serve' as const, ranges }
  const bundle = await offline.bundle({ revision: 1, lan, target: { kernel, initrd: kernel, cmdline: '' }, loaders: {} })
  const [node, ...flags] = NODE
  await execa(node, [...flags, 'import', bundle.file, '--data', join(disk, 'bridgehead'), '--trust', bundle.order.fingerprint])
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  endClient() // it outlives a daemon that was killed, for the next one
})
afterAll(async () => {
  await execa('umount', [disk], { reject: false })
  for (const ns of [BOX, LAN]) await execa('ip', ['netns', 'del', ns], { reject: false })
  rmSync(root, { recursive: true, force: true })
})

function endClient(): void {
  const path = join(run, 'daemon', 'network', 'udhcpc.eth0.pid')
  if (!existsSync(path)) return
  const pid = Number(readFileSync(path, 'utf8'))
  if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGTERM')
}

function box() {
  start(BOX, ['sh', '-c', HELPER], { cwd: join(run, 'helper') })
  return daemon()
}
const daemon = () => start(BOX, [...NODE, '--box', '--boot-info', join(run, 'boot.json'), '--data', join(disk, 'bridgehead')])
/** Lines are broken at the screen's width. */
const shows = (words: string) =>
  until(`the screen says "${words}"`, () => readFileSync(screen, 'utf8').replace(/\s+/g, ' ').includes(words), 30_000)
/** Asks once, as a machine with this last byte in its MAC; the address it got. */
async function lease(machine: number): Promise<string | undefined> {
  await ipIn(LAN, 'link', 'set', 'dev', 'lan0', 'address', `52:54:00:00:07:${machine.toString(16).padStart(2, '0')}`)
  const [program, ...args] = inNamespace(LAN, [
    'busybox',
    'udhcpc',
    '-f',
    '-q',
    '-n',
    '-t',
    '2',
    '-T',
    '2',
    '-i',
    'lan0',
    '-s',
    '/bin/true',
  ])
  const { stdout, stderr } = await execa(program, args, { reject: false })
  return /lease of ([\d.]+) obtained/.exec(`${stdout}${stderr}`)?.[1]
}
const leases = (machine: number) => until(`machine ${machine} gets an address`, async () => (await lease(machine)) !== undefined, 40_000)

test('a broken bridgehead.json is said with its line; the site is served meanwhile, and a correction is taken', async () => {
  writeFileSync(file, '{\n  "name": "shop",\n  "uplink": { "adress": "10.0.0.1/24" }\n}\n')
  box()
  await shows('bridgehead.json: line 3, uplink.adress: no such setting')
  await leases(1)
  await shows('LAN main 192.168.7.1, serve')
  truncateSync(screen)
  writeFileSync(file, '{ "name": "shop" }\n')
  await until(
    'the complaint is gone',
    () => /Bridgehead/.test(readFileSync(screen, 'utf8')) && !readFileSync(screen, 'utf8').includes('line 3'),
    20_000,
  )
  await until('self-tests are fine, and the watch is fed', () => readFileSync(join(run, 'alive'), 'utf8') === '')
})

test('a daemon that is killed serves again within five seconds of its start, also what it had promised', async () => {
  writeFileSync(file, '{}')
  const first = box()
  await leases(2)
  const before = await lease(2)
  first.child.kill('SIGKILL')
  await first.child
  const began = performance.now()
  daemon()
  await until('DHCP answers', async () => (await lease(2)) === before, 15_000)
  process.stdout.write(`    from exec to a lease: ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
})

test('a full data partition: services go on from memory and say so, and what they wrote comes back to the disk', async () => {
  writeFileSync(file, '{}')
  const one = box()
  await leases(3)
  const filler = join(disk, 'filler')
  await execa('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M'], { reject: false })
  await until('the daemon gives the disk up', async () => (await lease(4)) === undefined || one.has('data.failed'), 30_000)
  expect((await one.child).exitCode).toBe(75)
  expect(one.has('data.failed')).toBe(true)

  const two = daemon()
  await leases(5)
  const promised = await lease(5)
  await shows('the data partition is full; the box works from memory')
  rmSync(filler)
  expect((await two.child).exitCode).toBe(75)
  expect(two.has('data.back')).toBe(true)

  truncateSync(screen)
  const three = daemon()
  await until('it is up', () => three.has('appliance.started'), 20_000)
  expect(three.has('data.memory')).toBe(false)
  expect(await lease(5)).toBe(promised)
})

test('a data partition that cannot be written from the start', async () => {
  writeFileSync(file, '{}')
  await execa('mount', ['-o', 'remount,ro', disk])
  try {
    const one = box()
    await leases(6)
    await shows('the data partition is read-only; the box works from memory')
    expect(one.has('data.memory')).toBe(true)
  } finally {
    await execa('mount', ['-o', 'remount,rw', disk])
    rmSync(join(run, 'daemon', 'memory'), { recursive: true, force: true })
  }
})

test('the local page asks for the password from the screen', async () => {
  writeFileSync(file, '{}')
  truncateSync(screen)
  box()
  await shows('Local page https://192.168.7.1:8443')
  await ipIn(LAN, 'address', 'replace', '192.168.7.60/24', 'dev', 'lan0')
  const curl = async (...args: string[]) => {
    const [program, ...rest] = inNamespace(LAN, ['curl', '-sk', '--max-time', '10', '-o', '/dev/null', '-w', '%{http_code}', ...args])
    return (await execa(program, rest, { reject: false })).stdout
  }
  const password = /Password +(\S+)/.exec(readFileSync(screen, 'utf8'))?.[1] ?? ''
  const url = 'https://192.168.7.1:8443'
  expect(await curl(`${url}/`)).toBe('200')
  expect(await curl('-d', `credential=wrong`, `${url}/login`)).toBe('403')
  expect(await curl('-d', `credential=${password}`, `${url}/login`)).toBe('303')
})
