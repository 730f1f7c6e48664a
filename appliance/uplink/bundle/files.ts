import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomically } from '../atomic-file.ts'

/** How `import`, a process of its own, and the daemon talk: by files, each of which is there whole or not at all. */

/** All is here and checked; the daemon shall take it in. */
const Order = z.object({ id: z.string(), head: z.string(), state: z.string(), trust: z.string().optional() })
export type Order = z.infer<typeof Order>
/** What became of the order with this id. */
const Outcome = z.object({ id: z.string(), revision: z.int().optional(), why: z.string().optional() })
export type Outcome = z.infer<typeof Outcome>
/** So many bytes are to be made free; the daemon removes the file when it has done what it can. */
const Room = z.object({ bytes: z.int() })

export interface ImportFiles {
  readonly directory: string
  /** An artifact under its final name is whole, checked and synced. */
  artifact(sha256: string): string
  readonly order: ImportFile<Order>
  readonly outcome: ImportFile<Outcome>
  readonly room: ImportFile<z.infer<typeof Room>>
}

export interface ImportFile<T> {
  /** Undefined when there is none, or when it is not what it should be. */
  read(): T | undefined
  write(value: T): void
  remove(): void
}

/** Below the appliance's data directory, on the file system of the cache, so that artifacts are moved and not copied. */
export function importFiles(data: string): ImportFiles {
  const directory = join(data, 'import')
  return {
    directory,
    artifact: (sha256) => join(directory, sha256),
    order: jsonFile(directory, 'order.json', Order),
    outcome: jsonFile(directory, 'outcome.json', Outcome),
    room: jsonFile(directory, 'room.json', Room),
  }
}

function jsonFile<T>(directory: string, name: string, schema: z.ZodType<T>): ImportFile<T> {
  const path = join(directory, name)
  return {
    read() {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
      return schema.safeParse(parsed(text)).data
    },
    write(value) {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      writeFileAtomically(path, JSON.stringify(value), 0o600)
    },
    remove: () => rmSync(path, { force: true }),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // written by someone else; ours are there whole or not at all
  }
}
