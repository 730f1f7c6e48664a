import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { BUNDLE_FORMAT, entriesOf, HEAD_ENTRY, STATE_ENTRY } from '@bridgehead/shared/model/bundle.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { type Header, pack } from 'tar-stream'
import { MANAGER, NOW, publicOf, SITE, stateOf } from '../samples.ts'

/** One entry of a tar, right or wrong. */
export type TarFile = Partial<Omit<Header, 'name'>> & { name: string; body: Uint8Array }

export const refOf = (bytes: Uint8Array, name: string): ArtifactRef => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.length,
  name,
})

/** A bundle as the manager makes it, for tests: two files and a medium. `head` and `state` change what is signed. */
export async function bundleFiles({
  head = {},
  state = {},
  files = [Buffer.from('loader'), Buffer.alloc(3_000, 7)],
  media = [Buffer.from('stick')],
  key = MANAGER,
}: {
  head?: object
  state?: { revision?: number } & Record<string, unknown>
  files?: Uint8Array[]
  media?: Uint8Array[]
  key?: PrivateKey
} = {}): Promise<TarFile[]> {
  const refs = files.map((bytes, index) => refOf(bytes, `file${index}`))
  const loaders = Object.fromEntries(refs.map((ref) => [ref.name, ref]))
  const value = stateOf({ loaders, managerKeys: [publicOf(key)], ...state })
  const payload = {
    ...{ format: BUNDLE_FORMAT, site: SITE, name: 'test', revision: state.revision ?? 1, at: NOW },
    ...{ artifacts: refs, media: media.map((bytes, index) => refOf(bytes, `stick${index}.img`)), managerKeys: [publicOf(key)] },
    ...head,
  }
  const bytes = new Map([...files, ...media].map((one) => [refOf(one, '').sha256, one]))
  return [
    { name: HEAD_ENTRY, body: Buffer.from(await signDocument('bundle', payload, key)) },
    { name: STATE_ENTRY, body: Buffer.from(await signDocument('state', value, key)) },
    ...entriesOf(payload).map(({ entry, artifact }) => ({ name: entry, body: bytes.get(artifact.sha256) ?? Buffer.alloc(0) })),
  ]
}

/** Packs them; a `size` that is not the body's length stands only in the header. */
export async function tarOf(files: readonly TarFile[]): Promise<Buffer> {
  const tar = pack()
  const whole = buffer(chunksOf(tar))
  for (const { body, size, ...header } of files) {
    if (header.type === undefined || header.type === 'file') {
      const sink = tar.entry({ ...header, size: body.length, mtime: new Date(0) })
      sink.end(body)
    } else tar.entry({ ...header, mtime: new Date(0) })
  }
  tar.finalize()
  const bytes = await whole
  for (const { name, size } of files) if (size !== undefined) lie(bytes, name, size)
  return bytes
}

async function* chunksOf(tar: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of tar) if (chunk instanceof Uint8Array) yield chunk
}

/** Writes another size into the header of `name`, with the checksum that goes with it (POSIX.1-1988 ustar). */
function lie(tar: Buffer, name: string, size: number): void {
  for (let at = 0; at < tar.length; at += 512) {
    if (tar.toString('latin1', at, at + name.length + 1) !== `${name}\0`) continue
    tar.write(`${size.toString(8).padStart(11, '0')} `, at + 124, 'latin1')
    tar.fill(' ', at + 148, at + 156)
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
  }
}
