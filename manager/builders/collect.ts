import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { BuildError } from './confine/error.ts'

const LARGEST_BYTES = 256 * 1_048_576

/**
 * The bytes of a file that a build has made. The build may have put anything there, and the manager may be root: only an ordinary file
 * that really lies in `directory` is read, no link. Throws BuildError `exit` otherwise.
 */
export async function collect(directory: string, path: string): Promise<Buffer> {
  const wanted = join(await realpath(directory), path)
  const there = await realpath(wanted).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new BuildError('exit', `the build ended well but made no ${path}`, { cause: error })
    throw error
  })
  if (there !== wanted || !wanted.startsWith(`${await realpath(directory)}${sep}`))
    throw new BuildError('exit', `the build made ${path} a link to somewhere else`)
  const file = await open(wanted, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const is = await file.stat()
    if (!is.isFile() || is.nlink > 1) throw new BuildError('exit', `the build made ${path} something else than an ordinary file`)
    if (is.size > LARGEST_BYTES) throw new BuildError('output', `${path} is larger than ${LARGEST_BYTES / 1_048_576} MiB`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}
