import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncPath } from './sync.ts'

/** 256 random bits, 43 characters of base64url. */
export const randomSecret = (): string => randomBytes(32).toString('base64url')

/**
 * The text of the secret at `path`; where there is none, `make()` is stored there first (mode 0600, on disk before this resolves).
 * Two processes that ask at once get the same text. A trailing newline is not part of it.
 */
export async function secretFile(path: string, make: () => string | Promise<string>): Promise<string> {
  const known = await readSecret(path)
  if (known !== undefined) return known
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(fresh, 'wx', 0o600)
  try {
    await file.writeFile(`${await make()}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(fresh, path) // fails where another was faster, unlike rename
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await unlink(fresh)
  }
  await syncPath(dirname(path)) // its name too: a key that a power cut takes back would make another box of this one
  const stored = await readSecret(path)
  if (stored === undefined) throw new Error(`${path} vanished while it was being made`)
  return stored
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trimEnd()
    if (text === '') throw new Error(`${path} is empty; expected a secret (delete the file to have a new one made)`)
    return text
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
