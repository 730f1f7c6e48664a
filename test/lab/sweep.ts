import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownerOf } from './names.ts'

/**
 * Removes namespaces (with the processes inside) and directories for whose name `mine` is true. Synchronous, because the last chance to
 * clean up is the `exit` event. Returns the names.
 */
export function remove(mine: (name: string) => boolean): string[] {
  const namespaces = listNamespaces().filter(mine)
  for (const name of namespaces)
    for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean).map(Number)) if (pid !== process.pid) killQuietly(pid)
  for (const name of namespaces) ip('netns', 'del', name)
  const directories = readdirSync(tmpdir()).filter(mine)
  for (const name of directories) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  return [...namespaces, ...directories]
}

/** Removes what labs left behind whose process is gone (kill -9, power cut of a container). */
export function sweepDeadLabs(): string[] {
  return remove((name) => {
    const pid = ownerOf(name)
    return pid !== undefined && !existsSync(`/proc/${pid}`)
  })
}

/** wireguard-go's sockets outlive a kill -9; `ip link` cannot see them. */
export function removeTunnelSockets(names: readonly string[]): void {
  for (const name of names) rmSync(`/var/run/wireguard/${name}.sock`, { force: true })
}

function listNamespaces(): string[] {
  return ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
}

function ip(...args: string[]): string {
  return spawnSync('ip', args, { encoding: 'utf8' }).stdout ?? ''
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it went by itself
  }
}
