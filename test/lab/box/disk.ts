import { open, truncate } from 'node:fs/promises'
import { CONFIG_BYTES, CONFIG_MAGIC } from '@bridgehead/shared/model/appliance-image.ts'
import { execa } from 'execa'

/** A partition, in bytes from the disk's beginning. */
export interface Partition {
  name: string
  offset: number
  bytes: number
}

const SECTOR = 512

/** Writes an image onto a new card of `gib` GiB, as a flashing tool does. The card is sparse. */
export async function flash(image: string, card: string, gib = 4): Promise<void> {
  await execa('cp', ['--sparse=always', '--reflink=auto', image, card])
  await truncate(card, gib * 2 ** 30)
}

/**
 * Puts `config` into the card's `bridgehead.json`, at the place where a manager's download has it. Throws when the card has none. `like`: a
 * disk of the same image whose partition table is whole.
 */
export async function personalise(card: string, config: unknown, like = card): Promise<void> {
  const offset = await configOffset(like)
  const text = Buffer.alloc(CONFIG_BYTES, ' ')
  const written = text.write(JSON.stringify(config))
  if (written >= CONFIG_BYTES) throw new Error('the configuration is longer than its place')
  text.write('\n', CONFIG_BYTES - 1)
  await writeAt(card, offset, text)
}

async function configOffset(card: string): Promise<number> {
  const boot = await partition(card, 'boot')
  const bytes = await readAt(card, boot.offset, boot.bytes)
  for (let at = bytes.indexOf(CONFIG_MAGIC); at >= 0; at = bytes.indexOf(CONFIG_MAGIC, at + 1))
    if (at % SECTOR === 0) return boot.offset + at
  throw new Error(`${card}: no bridgehead.json in its boot partition`)
}

/** Of a GPT (UEFI specification 5.3): the header is the second sector, entries of 128 bytes follow at the sector that it names. */
export async function partitions(card: string): Promise<Partition[]> {
  const header = await readAt(card, SECTOR, SECTOR)
  if (header.toString('latin1', 0, 8) !== 'EFI PART') throw new Error(`${card}: no GPT`)
  const [from, count, size] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)]
  const table = await readAt(card, from * SECTOR, count * size)
  return Array.from({ length: count }, (_, index) => table.subarray(index * size, (index + 1) * size))
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => {
      const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))]
      const name = entry.toString('utf16le', 56, 128).replace(/\0.*$/, '')
      return { name, offset: first * SECTOR, bytes: (last - first + 1) * SECTOR }
    })
}

export async function partition(card: string, name: string): Promise<Partition> {
  const all = await partitions(card)
  const found = all.find((one) => one.name === name)
  if (!found) throw new Error(`${card}: no partition "${name}", only ${all.map((one) => one.name).join(', ')}`)
  return found
}

export async function readAt(file: string, offset: number, length: number): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const bytes = Buffer.alloc(length)
    await handle.read(bytes, 0, length, offset)
    return bytes
  } finally {
    await handle.close()
  }
}

export async function writeAt(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.write(bytes, 0, bytes.length, offset)
  } finally {
    await handle.close()
  }
}

/** A file of the boot partition, while the machine is off. */
export async function bootFile(card: string, path: string): Promise<Buffer> {
  const { offset } = await partition(card, 'boot')
  const { stdout } = await execa('mcopy', ['-n', '-i', `${card}@@${offset}`, `::${path}`, '-'], {
    encoding: 'buffer',
    stripFinalNewline: false,
  })
  return Buffer.from(stdout)
}

/** Puts a file into the boot partition as somebody with the card in a reader does: an ordinary file, of any length. */
export async function putBootFile(card: string, path: string, text: string | Uint8Array): Promise<void> {
  const { offset } = await partition(card, 'boot')
  await execa('mcopy', ['-o', '-i', `${card}@@${offset}`, '-', `::${path}`], { input: text })
}
