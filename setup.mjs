#!/usr/bin/env node
// Every npm script starts here, on whatever Node (20 or newer) the machine has: it installs what is missing
// (npm packages, Debian packages), says so one line a step, and then runs the command on the pinned Node 24.
// Plain JavaScript without dependencies, because nothing is installed yet when it runs.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(fileURLToPath(import.meta.url))

/** Debian packages by purpose. `a|b` means: any of these will do; the first that apt knows is installed. */
const PACKAGES = {
  manager: ['redis-tools|valkey-tools', 'wireguard-tools', 'wireguard-go', 'iproute2'],
  images: [
    'mmdebstrap',
    'uidmap',
    'zstd',
    'xz-utils',
    'e2fsprogs',
    'dosfstools',
    'mtools',
    'fdisk',
    'cpio',
    'busybox-static',
    'grub-common',
    'grub-pc-bin',
    'grub-efi-amd64-bin',
    'ipxe',
    'ca-certificates',
  ],
  media: ['xorriso', 'isolinux', 'syslinux-common', 'mtools', 'dosfstools', 'zstd', 'ipxe', 'apt', 'dpkg'],
  builders: [
    'bubblewrap',
    'gcc',
    'make',
    'perl',
    'binutils',
    'libc6-dev',
    'liblzma-dev',
    'openssl',
    'gcc-aarch64-linux-gnu',
    'autoconf',
    'automake',
    'autopoint',
    'gettext',
    'bison',
    'flex',
    'pkg-config',
    'python3',
    'nasm',
    'uuid-dev',
    'dpkg-dev',
  ],
  firmware: ['qemu-system-arm', 'qemu-efi-aarch64'],
  lab: ['bubblewrap', 'iputils-ping', 'qemu-system-x86', 'ovmf', 'ipxe-qemu', 'nftables', 'dnsmasq-base', 'openssh-client', 'procps'],
  clients: [
    'bind9-dnsutils',
    'tftp-hpa',
    'atftp',
    'curl',
    'wget',
    'busybox-static',
    'isc-dhcp-client',
    'dhcpcd-base',
    'dnsmasq-base',
    'openssh-server',
    'python3-swift',
  ],
  browser: ['chromium'],
  peers: ['kea-dhcp4-server', 'kea-admin', 'dnsmasq-base', 'unbound', 'knot', 'nginx-light|nginx', 'atftpd|tftpd-hpa', 'dnsperf', 'curl'],
}

/** What each command needs and runs, on the pinned Node 24. `console`: the pages that the manager serves are built first where they are not. */
const COMMANDS = {
  setup: { needs: ['manager', 'images', 'media', 'builders', 'lab', 'clients', 'browser'], run: [] },
  start: { needs: ['manager', 'images', 'media'], console: true, run: ['manager/main.ts'] },
  demo: { needs: ['manager', 'images', 'lab'], console: true, run: ['test/lab/demo.ts'] },
  dev: { needs: ['manager'], console: true, run: ['test/lab/dev.ts'] },
  check: { needs: [], run: ['test/run.ts', 'check'] },
  test: { needs: ['manager', 'images', 'media', 'lab', 'clients', 'browser'], console: true, run: ['test/run.ts', 'test'] },
  'test:deep': {
    needs: ['manager', 'images', 'media', 'builders', 'firmware', 'lab', 'clients', 'browser'],
    console: true,
    run: ['test/run.ts', 'deep'],
  },
  // Its programs are packages of their own, by image/lock/tools-*.json: nothing of them is installed here.
  image: { needs: [], run: ['manager/packagers/appliance-image/command.ts'] },
  bench: {
    needs: ['manager', 'images', 'media', 'builders', 'clients', 'peers', 'lab', 'browser'],
    console: true,
    run: ['test/bench/main.ts'],
  },
}

const say = (line) => process.stderr.write(`setup: ${line}\n`)
const fail = (line) => {
  say(line)
  process.exit(1)
}

const major = Number(process.versions.node.split('.')[0])
if (major < 20)
  fail(`Node ${process.versions.node} is too old; Bridgehead needs Node 20 or newer to set itself up (apt install nodejs npm)`)

const [name, ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
if (!command) fail(`unknown command "${name ?? ''}"; expected one of ${Object.keys(COMMANDS).join(', ')}`)
const yes = rest.includes('--yes') || process.env.CI !== undefined
const args = rest.filter((arg) => arg !== '--yes')

installNpmPackages()
await installDebianPackages([...new Set(command.needs.flatMap((group) => PACKAGES[group]))])
if (command.run.length === 0) {
  say('ready')
  process.exit(0)
}
if (command.console) buildConsole()
runPinned(command.run, args)

function installNpmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
  const stamp = join(ROOT, 'node_modules', '.setup-stamp')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock && pinnedNode() !== undefined) return
  say('installing npm packages (npm ci) ...')
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (done.error) fail(`cannot run npm: ${done.error.message} (apt install npm)`)
  if (done.status !== 0) fail(`npm ci failed with exit code ${done.status}; its message is above`)
  if (pinnedNode() === undefined) fail(`no pinned Node for ${process.platform}/${process.arch}; Bridgehead runs on linux x64 and arm64`)
  writeFileSync(stamp, lock)
}

function pinnedNode() {
  const path = join(ROOT, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  return process.platform === 'linux' && existsSync(path) ? path : undefined
}

async function installDebianPackages(wanted) {
  const all = wanted.flatMap((entry) => entry.split('|'))
  if (all.length === 0) return
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...all], { encoding: 'utf8' })
  if (query.error) fail(`this machine has no dpkg; install by hand what these Debian packages hold: ${all.join(' ')}`)
  const have = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  )
  const missing = wanted.filter((entry) => !entry.split('|').some((one) => have.has(one)))
  if (missing.length === 0) return

  const root = process.getuid?.() === 0
  const sudo = root ? [] : spawnSync('sudo', ['-n', 'true']).status === 0 || process.stdin.isTTY ? ['sudo'] : undefined
  const list = missing.map((entry) => entry.split('|')[0])
  if (!sudo) fail(`missing Debian packages and no privilege to install them; run: sudo apt-get install ${list.join(' ')}`)
  if (!root && !yes) await ask(`install ${list.length} Debian packages with apt (${list.join(' ')})?`, list)

  const apt = (...argv) =>
    spawnSync(sudo[0] ?? 'apt-get', [...(sudo.length ? ['apt-get'] : []), ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  say('reading package lists (apt-get update) ...')
  apt('update', '-qq')
  const chosen = missing.map(
    (entry) => entry.split('|').find(known) ?? fail(`apt knows no package ${entry.replaceAll('|', ' or ')}; see /etc/apt/sources.list`),
  )
  say(`installing ${chosen.length} Debian packages: ${chosen.join(' ')} ...`)
  const done = withoutServices(sudo, () => apt('install', '-y', '-qq', '--no-install-recommends', ...chosen))
  if (done.status !== 0) fail(`apt-get install failed:\n${done.stderr.trim().split('\n').slice(-8).join('\n')}`)
}

function known(name) {
  const shown = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' }).stdout ?? ''
  return /Candidate: (?!\(none\))/.test(shown)
}

/** Runs `install` while Debian's policy hook forbids starting services: no package may take a port of this machine. */
function withoutServices(sudo, install) {
  const hook = '/usr/sbin/policy-rc.d'
  if (sudo.length > 0 || existsSync(hook)) return install()
  mkdirSync(dirname(hook), { recursive: true })
  writeFileSync(hook, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(hook)
  }
}

async function ask(question, list) {
  if (!process.stdin.isTTY) fail(`needs Debian packages; run: sudo apt-get install ${list.join(' ')}   (or repeat with --yes)`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`setup: ${question} [Y/n] `)
  terminal.close()
  if (/^n/i.test(answer.trim())) fail('nothing was installed')
}

function buildConsole() {
  const done = spawnSync(pinnedNode(), ['manager/web/build-command.ts'], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (done.status !== 0) fail('the console could not be built; its message is above')
}

function runPinned(argv, more) {
  const node = pinnedNode() ?? fail('the pinned Node is missing; delete node_modules and try again')
  const path = [dirname(node), '/usr/sbin', '/sbin', process.env.PATH].join(delimiter)
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', ...argv, ...more], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}
