import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  decodeGrubEnv,
  ENV_BYTES,
  encodeGrubEnv,
  FRESH_MARKS,
  SECTOR_BYTES,
  type SlotName,
  slotToBoot,
  withMarks,
} from '@bridgehead/shared/boot/slots.ts'
import { BLOCK_BYTES, type ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { BootInfo } from '../system/boot-info.ts'
import type { Helper } from '../system/helper.ts'
import type { ArtifactSource } from '../uplink/cache/fetch.ts'

/** Size of both slots of a fake box. */
export const SLOT_BYTES = 40 * BLOCK_BYTES
const MAGIC = 0x73717368
const VERSION_AT = 96
const MARK_AT = 128

/** Bytes that look like a squashfs from outside: head, version, and blocks of which `changed` are its own and the rest are everybody's. */
export function makeSystem(version: string, { blocks = 31, tail = 4096, changed = 4 } = {}): Buffer {
  const bytes = Buffer.alloc(blocks * BLOCK_BYTES + tail)
  for (let block = 0; block * BLOCK_BYTES < bytes.length; block++) {
    const own = block >= blocks - changed || block === 0
    bytes.fill(
      createHash('sha256')
        .update(`${own ? version : ''} ${block}`)
        .digest(),
      block * BLOCK_BYTES,
      Math.min((block + 1) * BLOCK_BYTES, bytes.length),
    )
  }
  bytes.fill(0, 0, 96)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeBigUInt64LE(BigInt(bytes.length), 40)
  bytes.write(version.padEnd(MARK_AT - VERSION_AT, '\0'), VERSION_AT)
  return bytes
}

/** The version of the system that lies in the file, if its bytes are exactly those that `makeSystem` gave; else undefined. */
export function systemIn(path: string, known: readonly Buffer[]): string | undefined {
  const there = readFileSync(path)
  const found = known.find((system) => there.subarray(0, system.length).equals(system))
  return found?.toString('latin1', VERSION_AT, MARK_AT).replaceAll('\0', '')
}

export function refOf(bytes: Uint8Array, name: string): ArtifactRef {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, name }
}

export function indexOf(system: Buffer): Buffer {
  const hashes: Buffer[] = []
  for (let at = 0; at < system.length; at += BLOCK_BYTES)
    hashes.push(
      createHash('sha256')
        .update(system.subarray(at, at + BLOCK_BYTES))
        .digest(),
    )
  return Buffer.concat(hashes)
}

export function manifestOf(version: string, system: Buffer, change: Partial<ReleaseManifest> = {}): ReleaseManifest {
  return {
    protocol: 1,
    kind: 'release',
    version,
    boards: ['x86_64'],
    floor: '1.0.0',
    expiresAt: Date.UTC(2099, 0),
    slot: refOf(system, 'slot.squashfs'),
    blocks: refOf(indexOf(system), 'slot.blocks'),
    blockBytes: BLOCK_BYTES,
    dataSchema: 3,
    rollback: false,
    ...change,
  }
}

/** A fresh image: slot A holds `system`, slot B rubbish. */
export function makeDisk(directory: string, system: Buffer): void {
  const slot = randomBytes(SLOT_BYTES)
  writeFileSync(join(directory, 'slot-B'), slot)
  system.copy(slot)
  writeFileSync(join(directory, 'slot-A'), slot)
  writeFileSync(join(directory, 'grubenv'), encodeGrubEnv(withMarks(new Map(), FRESH_MARKS)))
}

/** Writes the first sector, whole or not at all, as the box's helper and GRUB do. Throws when another would have to be written too. */
export function writeEnv(path: string, bytes: Uint8Array): void {
  const before = readFileSync(path)
  if (bytes.length !== ENV_BYTES) throw new Error(`an environment of ${bytes.length} bytes`)
  if (!before.subarray(SECTOR_BYTES).equals(bytes.subarray(SECTOR_BYTES)))
    throw new Error('the second sector differs: the write could tear')
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, SECTOR_BYTES, 0)
  closeSync(file)
}

/** The helper of a box whose disk lies as files in `directory`. `reboot` is the machine's. */
export function fakeHelper(
  directory: string,
  running: SlotName,
  reboot: () => Promise<void>,
): Pick<Helper, 'setEnv' | 'openSlot' | 'closeSlot' | 'reboot'> {
  return {
    async setEnv(bytes) {
      writeEnv(join(directory, 'grubenv'), bytes)
    },
    async openSlot(slot) {
      if (slot === running) throw new Error('refused: the slot that runs')
      return join(directory, `slot-${slot}`)
    },
    async closeSlot() {},
    reboot,
  }
}

/**
 * What firmware, GRUB and the first seconds of Linux do with the disk: which slot comes up. A slot whose bytes are none of `known` hangs,
 * and so does each version in `hangs`; the watchdog then starts the machine anew. Throws when nothing comes up.
 */
export function powerOn(directory: string, known: readonly Buffer[], hangs: ReadonlySet<string> = new Set()): BootInfo {
  const path = join(directory, 'grubenv')
  for (let boot = 0; boot < 12; boot++) {
    const env = decodeGrubEnv(readFileSync(path))
    const choice = slotToBoot(env)
    if (choice.saved) writeEnv(path, encodeGrubEnv(withMarks(env, choice.saved)))
    const version = systemIn(join(directory, `slot-${choice.slot}`), known)
    if (version !== undefined && !hangs.has(version)) return bootInfoOf(directory, choice.slot, version, [...choice.skipped])
  }
  throw new Error('the box is dead: no slot comes up')
}

function bootInfoOf(directory: string, slot: SlotName, version: string, tried: SlotName[]): BootInfo {
  return {
    board: 'x86_64',
    slot,
    version,
    disk: directory,
    boot: directory,
    slots: { A: { device: join(directory, 'slot-A'), bytes: SLOT_BYTES }, B: { device: join(directory, 'slot-B'), bytes: SLOT_BYTES } },
    env: { path: join(directory, 'grubenv') },
    config: join(directory, 'bridgehead.json'),
    data: { state: 'ok' },
    consoles: [],
    tried,
  }
}

/** The manager's side of artifacts: serves ranges by sha256, counts what it sends, and can be made to misbehave. */
export interface Bucket {
  readonly source: ArtifactSource
  put(bytes: Buffer, as?: string): void
  /** Bytes and requests since the last call of `reset`. */
  sent(): { bytes: number; requests: number; ranges: string[] }
  reset(): void
  /** Ends each connection after so many bytes. */
  breakAfter(bytes: number | undefined): void
  withoutRanges(on: boolean): void
  close(): Promise<void>
}

export async function openBucket(): Promise<Bucket> {
  const contents = new Map<string, Buffer>()
  let count = { bytes: 0, requests: 0, ranges: [] as string[] }
  let limit: number | undefined
  let ranges = true
  const server: Server = createServer((request, response) => {
    const bytes = contents.get((request.url ?? '').slice(1))
    if (!bytes) return void response.writeHead(404).end()
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const isRange = ranges && from !== undefined
    const start = isRange ? Number(from) : 0
    const end = isRange && to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
    count.requests++
    count.ranges.push(request.headers.range ?? 'all')
    const body = bytes.subarray(start, end)
    const given = limit === undefined ? body : body.subarray(0, limit)
    count.bytes += given.length
    const headers: Record<string, string> = { 'Content-Length': String(body.length) }
    if (isRange) headers['Content-Range'] = `bytes ${start}-${end - 1}/${bytes.length}`
    response.writeHead(isRange ? 206 : 200, headers)
    response.write(given, () => (given.length < body.length ? response.destroy() : response.end()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    source: { url: `http://127.0.0.1:${port}`, user: 'site', password: 'secret' },
    put: (bytes, as = createHash('sha256').update(bytes).digest('hex')) => void contents.set(as, bytes),
    sent: () => count,
    reset() {
      count = { bytes: 0, requests: 0, ranges: [] }
    },
    breakAfter(bytes) {
      limit = bytes
    },
    withoutRanges(on) {
      ranges = !on
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
