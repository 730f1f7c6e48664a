import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

/**
 * Runs `task` in a directory of its own, removed afterwards, however the task ends; and removes those that killed processes left.
 * `rm --one-file-system`, because a killed mmdebstrap may have left /proc or /dev mounted inside.
 */
export async function withWorkDirectory<T>(parent: string, name: string, task: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true })
  await sweep(parent, name)
  const directory = await mkdtemp(join(parent, `${name}-${process.pid}-`))
  try {
    return await task(directory)
  } finally {
    await remove(directory)
  }
}

async function sweep(parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    const owner = new RegExp(`^${name}-(\\d+)-`).exec(entry)?.[1]
    if (owner !== undefined && !(await alive(owner))) await remove(join(parent, entry))
  }
}

async function alive(pid: string): Promise<boolean> {
  return readFile(`/proc/${pid}/stat`).then(
    () => true,
    () => false,
  )
}

async function remove(directory: string): Promise<void> {
  // What a user namespace's root made may be beyond our reach; it is in the way of nobody.
  await execa('rm', ['-rf', '--one-file-system', directory], { reject: false, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
}
