import { chmod, mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

/**
 * Runs `task` in a directory of its own below `parent`, removed afterwards, however the task ends; and removes those that killed processes
 * left. The owner's start time is in the name, because process ids come again.
 */
export async function withTemporaryDirectory<T>(parent: string, name: string, task: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true })
  for (const entry of await readdir(parent)) {
    const [, pid, started] = /^tmp-[a-z]+-(\d+)-(\d+)-/.exec(entry) ?? []
    if (pid !== undefined && (await startOf(pid)) !== started) await remove(join(parent, entry))
  }
  const directory = await mkdtemp(join(parent, `tmp-${name}-${process.pid}-${await startOf(process.pid)}-`))
  await chmod(directory, 0o755) // the build user reads in it
  try {
    return await task(directory)
  } finally {
    await remove(directory)
  }
}

/** Clock ticks after boot (proc_pid_stat(5), field 22). */
async function startOf(pid: number | string): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  })
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

async function remove(directory: string): Promise<void> {
  const quiet = { reject: false, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } as const
  // A build may have left directories without write permission. What cannot be removed now (its last process dies just now) goes next time.
  await execa('chmod', ['-R', 'u+rwX', '--', directory], quiet)
  await execa('rm', ['-rf', '--one-file-system', '--', directory], quiet)
}
