import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { syncPath } from '@bridgehead/shared/sync.ts'
import ssh2 from 'ssh2'
import { makeOpensshKey, publicHalf } from './openssh-key.ts'

/** The key that this site opens its hosts with. */
export interface SiteKey {
  /** OpenSSH private key; never leaves this machine. */
  privateKey: string
  /** For `authorized_keys`. */
  publicLine: string
}

export class SiteKeyError extends Error {
  readonly code = 'site_key'
}

const COMMENT = 'bridgehead-site'

/** Reads `id_ed25519` of `dir`, or makes it (mode 0600, on disk before this resolves). Throws SiteKeyError when the file holds no key. */
export async function loadOrCreateSiteKey(dir: string): Promise<SiteKey> {
  const path = join(dir, 'id_ed25519')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found !== undefined) {
    await chmod(path, 0o600)
    return { privateKey: found, publicLine: publicLine(found, path) }
  }
  const made = makeOpensshKey(COMMENT)
  await writeDurably(dir, 'id_ed25519', made)
  const line = publicLine(made, path)
  await writeDurably(dir, 'id_ed25519.pub', `${line}\n`) // for people; the private key is the record
  return { privateKey: made, publicLine: line }
}

/** Keys that were made here are read without ssh2, which takes 10 MiB once it is loaded; a person may have put another kind. */
function publicLine(privateKey: string, path: string): string {
  const own = publicHalf(privateKey)
  if (own) return `ssh-ed25519 ${own.toString('base64')} ${COMMENT}`
  const key = ssh2.utils.parseKey(privateKey)
  if (key instanceof Error)
    throw new SiteKeyError(`${path} holds no SSH key (${key.message}); put back a copy, or delete it to have a new one made`, {
      cause: key,
    })
  return `${key.type} ${key.getPublicSSH().toString('base64')} ${COMMENT}`
}

async function writeDurably(dir: string, name: string, text: string): Promise<void> {
  const file = await open(join(dir, `${name}.next`), 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(join(dir, `${name}.next`), join(dir, name))
  await syncPath(dir)
}
