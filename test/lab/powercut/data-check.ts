import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runTool } from './tool.ts'

/** What the data partition holds after a cut, once its journal was replayed. */
export interface DataFacts {
  /** `none`: no file system yet, as in a fresh image. */
  state: 'none' | 'ext4'
  problems: string[]
  /** Files that were unlinked or cut while open: the kernel finishes that at the mount. */
  orphans: number
  /** Copies of files of the appliance, where they are: SQLite's (its log lies beside it), and the signing key. */
  store: string | undefined
  key: string | undefined
}

/**
 * Replays the journal of `file` (a copy of the partition, which changes), as a mount does, and then wants a file system without a mistake.
 * The store is copied to `directory`.
 */
export async function checkData(file: string, directory: string, superblock: Buffer): Promise<DataFacts> {
  if (superblock.readUInt16LE(56) !== EXT_MAGIC) return { state: 'none', problems: [], orphans: 0, store: undefined, key: undefined }
  const problems: string[] = []
  const replay = await runTool(['e2fsck', '-y', '-E', 'journal_only', file])
  if (replay.code > 1) problems.push(`journal: ${replay.text}`)
  let { complaints, orphans } = readFsck(await runTool(['e2fsck', '-f', '-n', file]))
  if (orphans > 0) {
    await runTool(['e2fsck', '-p', file]) // finishes them, as the kernel does
    complaints = readFsck(await runTool(['e2fsck', '-f', '-n', file])).complaints
  }
  problems.push(...complaints.map((line) => `e2fsck: ${line}`))
  return { state: 'ext4', problems, orphans, ...(await copyFiles(file, directory)) }
}
const EXT_MAGIC = 0xef53

/** The lines of `e2fsck -fn` that tell of damage, and how many orphans it met. */
export function readFsck({ code, text }: { code: number; text: string }): { complaints: string[]; orphans: number } {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const orphans = lines.filter((line) => ORPHAN.test(line)).length
  if (code === 0 || orphans > 0) return { complaints: [], orphans }
  const complaints = lines.filter((line) => !/^(e2fsck \d|Pass \d|.*: \d+\/\d+ files)/.test(line))
  return { complaints: complaints.length > 0 ? complaints.slice(0, 8) : [`exit code ${code}`], orphans }
}
const ORPHAN = /orphan/i

const FILES = ['appliance.sqlite', 'appliance.sqlite-wal', 'keys/signing.json'] as const

async function copyFiles(file: string, directory: string): Promise<Pick<DataFacts, 'store' | 'key'>> {
  const copies = FILES.map((path) => ({ path: `/bridgehead/${path}`, copy: join(directory, basename(path)) }))
  await Promise.all(copies.map(({ copy }) => rm(copy, { force: true })))
  const script = join(directory, 'commands')
  await writeFile(script, copies.map(({ path, copy }) => `dump ${path} ${copy}\n`).join(''))
  await runTool(['debugfs', '-f', script, file])
  const [store, , key] = copies.map(({ copy }) => (existsSync(copy) ? copy : undefined))
  return { store, key }
}
