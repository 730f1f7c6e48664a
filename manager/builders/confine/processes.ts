import { readdir, readFile } from 'node:fs/promises'

export interface ProcessInfo {
  pid: number
  parent: number
  /** One letter of proc_pid_stat(5); Z is a zombie. */
  state: string
  /** Clock ticks after boot; with the pid, names one process for ever. */
  startedAt: string
  residentBytes: number
}

const PAGE_BYTES = 4096

/** One line of /proc/PID/stat. The command's name is in brackets and may hold anything, brackets too. */
export function parseStat(text: string): ProcessInfo | undefined {
  const end = text.lastIndexOf(')')
  const fields = text.slice(end + 2).split(' ')
  const [state, parent] = fields
  if (end < 0 || state === undefined || parent === undefined) return undefined
  return {
    pid: Number.parseInt(text, 10),
    parent: Number(parent),
    state,
    startedAt: fields[19] ?? '',
    residentBytes: Number(fields[21] ?? 0) * PAGE_BYTES,
  }
}

/** `root` and all that descend from it. */
export function family(all: readonly ProcessInfo[], root: number): ProcessInfo[] {
  const children = Map.groupBy(all, (one) => one.parent)
  const found = all.filter((one) => one.pid === root)
  for (const one of found) found.push(...(children.get(one.pid) ?? []))
  return found
}

export async function readProcess(pid: number | string): Promise<ProcessInfo | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  })
  return text === undefined ? undefined : parseStat(text)
}

export async function readFamily(root: number): Promise<ProcessInfo[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const all = await Promise.all(pids.map(readProcess))
  return family(
    all.filter((one) => one !== undefined),
    root,
  )
}

/** Costs one read where the kernel keeps the list (CONFIG_PROC_CHILDREN; Debian's does). */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  })
  if (text !== undefined) return text.split(' ').filter(Boolean).map(Number)
  return (await readFamily(pid)).filter((one) => one.parent === pid).map((one) => one.pid)
}
