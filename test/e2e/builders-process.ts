import { join } from 'node:path'
import { build, DEBIAN_SOURCES } from '@bridgehead/manager/builders/build.ts'
import { BuildRequest } from '@bridgehead/manager/builders/model.ts'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'

/** Builds SYSLINUX below the directory in the first argument and prints each step. Killed by its test. */
const [directory = ''] = process.argv.slice(2)
await build(BuildRequest.parse({ builder: 'syslinux' }), {
  bucket: createFilesystemBucket({
    directory: join(directory, 'bucket'),
    presigner: createPresigner(new Uint8Array(32)),
    clock: systemClock,
  }),
  workDirectory: join(directory, 'work'),
  apt: machineApt(),
  clock: systemClock,
  sources: DEBIAN_SOURCES,
  signal: new AbortController().signal,
  log: () => undefined,
  progress: (_, text) => void process.stdout.write(`${text}\n`),
})
