// node test/bench/daemon-cost.ts [--idle SECONDS] [--rounds N] [--node PROGRAM] [--main FILE] [--bare] [--env NAME=VALUE]… [-- MORE NODE FLAGS]
// What the appliance daemon costs on this machine: memory at idle, and time from exec to its DHCP socket and to its link.
// --bare: without the flags and the environment of node-options.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import { nodeOptions } from '@bridgehead/appliance/node-options.ts'
import { freePort } from '../interop/free-port.ts'
import { type DaemonCost, measureDaemon } from '../lab/daemon-cost.ts'
import { startSmallManager } from '../lab/small-manager.ts'
import { median } from './harness.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    idle: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '1' },
    node: { type: 'string', default: process.execPath },
    env: { type: 'string', multiple: true, default: [] },
    main: { type: 'string' },
    bare: { type: 'boolean', default: false },
  },
})
const directory = mkdtempSync(join(tmpdir(), 'bh-cost-'))
const manager = await startSmallManager(join(directory, 'redis'), freePort)
try {
  const main =
    values.main ?? (await buildAppliance({ outdir: join(directory, 'dist'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })).main
  const options = values.bare ? { flags: [], env: {} } : nodeOptions(dirname(main))
  const node = [values.node, ...options.flags, ...positionals]
  const env = { ...options.env, ...Object.fromEntries(values.env.map((one) => one.split('=', 2))) }
  const runs: DaemonCost[] = []
  for (let round = 0; round < Number(values.rounds); round++)
    runs.push(
      await measureDaemon({ main, manager, revision: round + 1, node, env, directory, freePort, idleMs: Number(values.idle) * 1000 }),
    )
  const middle = (of: (run: DaemonCost) => number) => median(runs.map(of)).toFixed(1).padStart(6)
  process.stdout.write(
    `rss ${middle((run) => run.memory.rss)} MiB = anon ${middle((run) => run.memory.anon)} + file ${middle((run) => run.memory.file)}` +
      `   dhcp ${middle((run) => run.dhcpMs)} ms (processor ${middle((run) => run.dhcpCpuMs)})   link ${middle((run) => run.linkMs)} ms   bundle ${(statSync(main).size / 1024).toFixed(0)} KiB\n`,
  )
} finally {
  await manager.stop()
  rmSync(directory, { recursive: true })
}
