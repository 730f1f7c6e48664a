import { readFile } from 'node:fs/promises'
import { decodeGrubEnv, encodeGrubEnv, type GrubEnv, marksOf, type SlotMarks, withMarks } from '@bridgehead/shared/boot/slots.ts'
import { WireError } from '@bridgehead/shared/wire/errors.ts'

/** The loader's environment, as this daemon knows it. Nobody else writes it while the daemon runs. */
export interface LoaderEnv {
  /** Undefined while it cannot be read; `why` says what is wrong. */
  marks(): SlotMarks | undefined
  readonly why: string | undefined
  /** Writes nothing when it would change nothing. */
  set(marks: SlotMarks): Promise<void>
}

export async function openLoaderEnv(path: string, setEnv: (bytes: Uint8Array) => Promise<void>): Promise<LoaderEnv> {
  let why: string | undefined
  let env = await read(path).catch((error: unknown) => {
    if (!(error instanceof WireError) && !isFileError(error)) throw error
    why = error.message
    return undefined
  })
  return {
    marks: () => env && marksOf(env),
    get why() {
      return why
    },
    async set(marks) {
      const next = withMarks(env ?? new Map(), marks)
      if (env && same(env, next)) return
      await setEnv(encodeGrubEnv(next))
      env = next
      why = undefined
    },
  }
}

async function read(path: string): Promise<GrubEnv> {
  return decodeGrubEnv(await readFile(path))
}

function same(a: GrubEnv, b: GrubEnv): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value)
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}
