/** What a confined build may use. Memory: of each process, and of all together. Output: each file, all files it writes, and its log. */
export interface Limits {
  seconds: number
  memoryMiB: number
  processes: number
  outputMiB: number
}

export interface Binding {
  /** On this machine. */
  from: string
  /** In the sandbox. The same on every run, so that paths in the output are, too. */
  to: string
}

/** How this machine's root directory is laid out: `link` for /bin -> usr/bin and the like. */
export interface SystemPath {
  path: string
  link?: string | undefined
}

export interface SandboxPlan {
  argv: readonly string[]
  cwd: string
  readOnly: readonly Binding[]
  writable: readonly Binding[]
  env: Readonly<Record<string, string>>
  limits: Limits
  system: readonly SystemPath[]
}

/** Has no account: nothing on the machine belongs to it, except what builds write. Below 65536, for containers that map no more. */
export const BUILD_UID = 60_907
/** Who the build believes to be: the same whoever runs the manager. */
const INNER_UID = '1000'

/** Asks before it begins: whoever was orphaned before bubblewrap could tie its life to ours gets no answer, and ends. */
const ASK_AND_RUN = 'echo ready >&3; read -r word <&3; [ "$word" = go ] || exit 125; exec 3<&-; exec "$@" 2>&1'

/**
 * Stands between the manager and bubblewrap, whose init waits for ever when its parent is killed at a certain moment of the set-up. Without
 * a manager the set-up goes on, gets no answer and ends; only what was told to go is killed. Descriptor 4 says `go`, and closes with the manager.
 */
const LIFELINE = `"$@" 4<&- & sandbox=$!
(exec 3<&-; read -r word <&4 || exit 0; read -r word <&4; kill -9 $sandbox) >/dev/null 2>&1 & watcher=$!
exec 3<&- 4<&-
wait $sandbox; code=$?
kill -9 $watcher 2>/dev/null; exit $code`

/** File descriptors: 3 asks and is told to go, 4 is the lifeline. (No --info-fd: with nobody to read it, bubblewrap would fall into that same trap.) */
export function bubblewrapArguments(plan: SandboxPlan): string[] {
  const { limits } = plan
  const bytes = (mebibytes: number) => String(mebibytes * 1_048_576)
  const env = { PATH: '/usr/bin:/bin', HOME: '/tmp', LC_ALL: 'C.UTF-8', TZ: 'UTC', ...plan.env }
  return [
    ...['/bin/sh', '-c', LIFELINE, 'sh'],
    'bwrap',
    '--unshare-all', // ipc, pid, net, uts, cgroup: no network, not even the host's abstract sockets
    ...['--unshare-user', '--disable-userns'],
    '--die-with-parent',
    '--new-session',
    ...['--uid', INNER_UID, '--gid', INNER_UID, '--hostname', 'build'],
    ...plan.system.flatMap(({ path, link }) => (link === undefined ? ['--ro-bind', path, path] : ['--symlink', link, path])),
    ...['--proc', '/proc', '--dev', '/dev', '--size', bytes(limits.outputMiB), '--tmpfs', '/tmp'],
    ...plan.readOnly.flatMap(({ from, to }) => ['--ro-bind', from, to]),
    ...plan.writable.flatMap(({ from, to }) => ['--bind', from, to]),
    '--clearenv',
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--chdir', plan.cwd, '--'],
    ...['/bin/sh', '-c', ASK_AND_RUN, 'sh'],
    // Inside, because the number of processes is counted per user and user namespace.
    'prlimit',
    `--as=${bytes(limits.memoryMiB)}`,
    `--fsize=${bytes(limits.outputMiB)}`,
    `--nproc=${limits.processes}`,
    '--core=0',
    '--nofile=1024',
    '--',
    ...plan.argv,
  ]
}

/** Where the given paths appear in root's own mount namespace, so that the build user need not pass directories closed to it. */
const STAGE = '/mnt'
const STAGE_AND_RUN = `mount -t tmpfs -o mode=0755 none ${STAGE}; n=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir ${STAGE}/$n; else : >${STAGE}/$n; fi
  mount --bind "$1" ${STAGE}/$n; n=$((n + 1)); shift
done
shift; exec "$@"`

/** As root: the same by an unprivileged user. Each step replaces the one before, so that it stays one process. */
export function asBuildUser(plan: SandboxPlan): string[] {
  const staged = <T extends Binding>(bindings: readonly T[], first: number) =>
    bindings.map((binding, index) => ({ ...binding, from: `${STAGE}/${first + index}` }))
  const sandbox = bubblewrapArguments({
    ...plan,
    readOnly: staged(plan.readOnly, 0),
    writable: staged(plan.writable, plan.readOnly.length),
  })
  return [
    ...['unshare', '--mount', '--propagation', 'private', '--', '/bin/sh', '-euc', STAGE_AND_RUN, 'sh'],
    ...[...plan.readOnly, ...plan.writable].map(({ from }) => from),
    '--',
    ...['setpriv', `--reuid=${BUILD_UID}`, `--regid=${BUILD_UID}`, '--clear-groups', '--no-new-privs', '--'],
    ...sandbox,
  ]
}
