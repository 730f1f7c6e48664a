import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runTool } from './tool.ts'

/** What the data partition holds after a cut, once its journal was replayed. */
export interface DataFacts {
  /** `none`: not made yet. Its label is written last of all; until then nobody has ever used it, and each start makes it anew. */
  state: 'none' | 'ext4'
  problems: string[]
  /** What the box's start has to mend. */
  mended: string[]
  /** Copies of files of the appliance, where they are: SQLite's (its log lies beside it), and the signing key. */
  store: string | undefined
  key: string | undefined
}

/**
 * Replays the journal of `file` (a copy of the partition, which changes), as a mount does, and then wants a file system without a mistake.
 * Where there is one, the box's own start must mend it: `e2fsck -p`, and with `force` (nobody was promised anything yet) also `-y`.
 * The store is copied to `directory`.
 */
export async function checkData(
  file: string,
  { directory, superblock, force }: { directory: string; superblock: Buffer; force: boolean },
): Promise<DataFacts> {
  const label = superblock.toString('latin1', 120, 136).replace(/\0.*$/, '')
  if (superblock.readUInt16LE(56) !== EXT_MAGIC || label !== LABEL)
    return { state: 'none', problems: [], mended: [], store: undefined, key: undefined }
  const e2fsck = (...options: string[]) => runTool(['e2fsck', ...options, file])
  await e2fsck('-y', '-E', 'journal_only')
  const mended = fsckComplaints(await e2fsck('-f', '-n'))
  const problems: string[] = []
  if (mended.length > 0) {
    const preened = await e2fsck('-p')
    if (preened.code >= UNMENDED && force) await e2fsck('-y')
    else if (preened.code >= UNMENDED) problems.push(`e2fsck -p: ${preened.text}`)
    problems.push(...fsckComplaints(await e2fsck('-f', '-n')).map((line) => `e2fsck: ${line}`))
  }
  return { state: 'ext4', problems, mended, ...(await copyFiles(file, directory)) }
}
const EXT_MAGIC = 0xef53
const LABEL = 'data'
const UNMENDED = 4

/**
 * The lines of `e2fsck -fn` that tell of damage. None is what the next mount sees to: files that were unlinked while open, and the sums in
 * the superblock, which the kernel writes at leisure and counts anew.
 */
export function fsckComplaints({ code, text }: { code: number; text: string }): string[] {
  if (code === 0) return []
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const complaints = lines.filter((line) => !HARMLESS.some((pattern) => pattern.test(line)))
  return complaints.length === 0 && !lines.some((line) => SEEN_TO.test(line)) ? [`exit code ${code}`] : complaints.slice(0, 8)
}
const SEEN_TO = /orphan|^Free (blocks|inodes) count wrong \(/i
const HARMLESS = [SEEN_TO, /^e2fsck \d/, /^Pass \d/, /: \d+\/\d+ files/, /^(Fix|Clear)\? no$/, /WARNING: Filesystem still has errors/]

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
