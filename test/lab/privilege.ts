import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { execa } from 'execa'

/** What keeps a lab from starting, and how to get it. */
export class PrivilegeError extends Error {
  readonly code = 'privilege'
}

/**
 * How this process gets network namespaces: it has the right already (`ready`), or runs itself again in a user namespace with `argv` before
 * its own command line (`again`). Throws PrivilegeError, one sentence, when neither goes.
 */
export async function privilege(): Promise<{ kind: 'ready' } | { kind: 'again'; argv: string[] }> {
  needTun()
  if (process.getuid?.() === 0) {
    const why = await whyNoNamespaces([])
    if (why === undefined) return { kind: 'ready' }
    throw new PrivilegeError(`root may not make network namespaces here (${why}); a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN`)
  }
  const argv = userNamespace()
  const why = await whyNoNamespaces(argv)
  if (why === undefined) return { kind: 'again', argv }
  const switched =
    read('/proc/sys/kernel/unprivileged_userns_clone') === '0' || read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1'
  const cure = switched ? 'this kernel forbids user namespaces to users; run it as root (sudo)' : 'run it as root (sudo)'
  throw new PrivilegeError(`the lab needs network namespaces: ${cure} [${why}]`)
}

/** Runs this very command again in a user namespace and passes its exit code on, or returns when the right is there already. */
export async function withPrivilege(): Promise<void> {
  const way = await privilege()
  if (way.kind === 'ready') return
  const [command = '', ...before] = way.argv
  const done = await execa(command, [...before, process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    reject: false,
  })
  process.exit(done.exitCode ?? 1)
}

/**
 * Root of a user namespace of our own, with a /run of our own, where `ip netns` keeps its names, and a network of our own, to which `ip netns add`
 * must be allowed to return.
 */
function userNamespace(): string[] {
  const prepare = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"'
  return ['unshare', '--user', '--map-root-user', '--mount', '--net', 'sh', '-c', prepare, 'sh']
}

async function whyNoNamespaces(before: readonly string[]): Promise<string | undefined> {
  const name = `bhlab-${process.pid}-0-probe`
  const [command = '', ...args] = [...before, 'ip', 'netns', 'add', name]
  const made = await execa(command, args, { reject: false })
  if (made.failed) return made.stderr.trim().split('\n').at(-1) || made.shortMessage
  if (before.length === 0) await execa('ip', ['netns', 'del', name], { reject: false })
  return undefined
}

function needTun(): void {
  const device = '/dev/net/tun'
  if (!existsSync(device))
    throw new PrivilegeError(`${device} is missing: machines and overlays need it (modprobe tun; in a container --device ${device})`)
  try {
    accessSync(device, constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw new PrivilegeError(
      `${device} may not be opened by this user: machines and overlays need it; run as root (sudo) or chmod 0666 ${device}`,
      {
        cause,
      },
    )
  }
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}
