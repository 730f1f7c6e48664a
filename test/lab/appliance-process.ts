import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { nodeOptions } from '@bridgehead/appliance/node-options.ts'
import type { Lab } from './lab.ts'
import type { LabNode } from './node.ts'
import type { Running } from './processes.ts'

/** The appliance of a site, in its namespace: the same bundle that goes onto the SD card. */
export interface ApplianceProcess {
  readonly node: LabNode
  readonly data: string
  readonly logFile: string
  readonly alive: boolean
  start(): void
  stop(): Promise<void>
  /** kill -9. */
  crash(): Promise<void>
}

/** `config` is the whole bridgehead.json, with its one-time token. */
export function createAppliance(
  lab: Lab,
  { node, index, bundle, config }: { node: LabNode; index: number; bundle: string; config: unknown },
): ApplianceProcess {
  const directory = join(lab.directory, `appliance${index}`)
  const data = join(directory, 'data')
  const file = join(directory, 'bridgehead.json')
  const logFile = join(lab.directory, `appliance${index}.log`)
  mkdirSync(data, { recursive: true })
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const tunnel = lab.tunnel(index === 1 ? 'a' : 'b')
  let running: Running | undefined
  return {
    node,
    data,
    logFile,
    get alive() {
      return running?.alive ?? false
    },
    start() {
      const { flags, env } = nodeOptions(dirname(bundle))
      const argv = [process.execPath, ...flags, '--enable-source-maps', bundle, '--config', file, '--data', data]
      running = node.spawn(`appliance${index}`, argv, {
        env: { ...env, BRIDGEHEAD_OVERLAY_INTERFACE: tunnel },
        logFile,
      })
    },
    async stop() {
      await running?.end()
    },
    async crash() {
      running?.kill('SIGKILL')
      await running?.gone
    },
  }
}
