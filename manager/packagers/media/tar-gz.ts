import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { MEDIA_TIME } from './fat.ts'

/** Files by their path in it, as one `.tar.gz`. The same files give the same bytes. */
export async function tarGz(files: Readonly<Record<string, Uint8Array>>): Promise<Buffer> {
  const tar = pack()
  const whole = buffer(tar)
  const common = { mode: 0o644, mtime: new Date(MEDIA_TIME * 1000), uid: 0, gid: 0, uname: '', gname: '', type: 'file' } as const
  for (const [name, bytes] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) tar.entry({ name, ...common }, Buffer.from(bytes))
  tar.finalize()
  return promisify(gzip)(await whole, { level: 6 })
}
