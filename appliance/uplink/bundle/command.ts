import { open } from 'node:fs/promises'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { BundleError } from './check.ts'
import { importBundle } from './import.ts'

export interface ImportCommand {
  /** Path of the bundle, or `-` for standard input. */
  file: string
  data: string
  trust?: string | undefined
  media?: string | undefined
}

/** `import FILE`: tells on standard output how it goes. Returns the exit status; refusals are sentences on standard error. */
export async function runImport({ file, ...command }: ImportCommand): Promise<number> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  try {
    const input = file === '-' ? process.stdin : (await open(file)).createReadStream({ highWaterMark: 262_144 })
    const done = await importBundle({ ...command, file: input, say, clock: systemClock, newId })
    if (done.kind === 'applied') say(`the site runs on revision ${done.revision} now`)
    else say(`revision ${done.revision} is ready; the appliance does not answer and takes it in when it starts`)
    return 0
  } catch (error) {
    const isForPeople = error instanceof BundleError || (error instanceof Error && 'syscall' in error) // a full disk, say
    if (!isForPeople) throw error
    process.stderr.write(`bridgehead import: ${error.message}\n`)
    return 1
  }
}
