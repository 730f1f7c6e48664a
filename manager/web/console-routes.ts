import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Hono } from 'hono'

const TYPES: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', html: 'text/html; charset=utf-8' }

interface BuiltFile {
  type: string
  bytes: Buffer<ArrayBuffer>
  brotli?: Buffer<ArrayBuffer>
}

/** The console's files, read once; there are few, and nothing else of the disk can be asked for. */
async function readFiles(directory: string): Promise<Map<string, BuiltFile>> {
  const files = new Map<string, BuiltFile>()
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    const type = TYPES[entry.name.slice(entry.name.lastIndexOf('.') + 1)]
    if (!entry.isFile() || type === undefined) continue
    const brotli = await readFile(`${path}.br`).catch(() => undefined)
    files.set(`/${relative(directory, path)}`, { type, bytes: await readFile(path), ...(brotli ? { brotli } : {}) })
  }
  return files
}

/**
 * The console: its files, and its one page at every other path that a browser navigates to. The page's policy lets styles in by a nonce
 * that is new each time; scripts are files of this manager alone.
 */
export function consoleRoutes({ directory }: { directory: string }) {
  let known: Promise<Map<string, BuiltFile>> | undefined
  const files = async () => {
    known ??= readFiles(directory)
    const found = await known
    if (!found.has('/index.html')) known = undefined // not built yet
    return found
  }
  return new Hono().get('*', async (c, next) => {
    const found = await files()
    const file = c.req.path === '/index.html' ? undefined : found.get(c.req.path)
    if (file) {
      const forever = c.req.path.startsWith('/assets/') // their names hold their hash
      c.header('content-type', file.type)
      c.header('cache-control', forever ? 'public, max-age=31536000, immutable' : 'public, max-age=3600')
      c.header('vary', 'accept-encoding')
      if (!file.brotli || !/\bbr\b/.test(c.req.header('accept-encoding') ?? '')) return c.body(file.bytes)
      c.header('content-encoding', 'br')
      return c.body(file.brotli)
    }
    const page = found.get('/index.html')
    if (!page || c.req.path.startsWith('/api/') || !c.req.header('accept')?.includes('text/html')) return next()
    const nonce = randomBytes(16).toString('base64')
    return c.body(page.bytes.toString('utf8').replaceAll('%NONCE%', nonce), 200, {
      'content-type': page.type,
      'cache-control': 'no-store',
      'content-security-policy': policy(nonce),
    })
  })
}

const policy = (nonce: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
