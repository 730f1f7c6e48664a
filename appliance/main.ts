#!/usr/bin/env node
import './no-code-generation.ts'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startupSnapshot } from 'node:v8'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { startAll } from '@bridgehead/shared/service.ts'
import { type Config, ConfigError, readConfig, USAGE } from './config.ts'
import { endOnBugs, firstSignal, STOP_MS } from './daemon.ts'
import { loadOrCreateSiteKey } from './distributors/ssh/site-key.ts'
import { createIdleMemory, processMemory } from './idle-memory.ts'
import manifest from './package.json' with { type: 'json' }
import { createOutbox } from './store/outbox.ts'
import { openStore } from './store/store.ts'
import { createHealth } from './system/health.ts'
import { selfTests } from './system/self-tests.ts'
import { runImport } from './uplink/bundle/command.ts'
import { openIdentity } from './uplink/identity.ts'
import { createAppliance } from './wiring.ts'

async function run(config: Config): Promise<void> {
  const log = createLog({ name: 'appliance', level: config.logLevel })
  endOnBugs(log)
  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  const store = openStore(join(config.data, 'appliance.sqlite'))
  const outbox = createOutbox(store.db, { clock: systemClock, newId })
  const identity = await openIdentity(join(config.data, 'keys'))
  const siteKey = await loadOrCreateSiteKey(join(config.data, 'ssh'))
  const appliance = createAppliance({
    config,
    version: manifest.version,
    identity,
    siteKey,
    store,
    outbox,
    log,
    clock: systemClock,
    newId,
    newToken: () => randomBytes(32).toString('hex'),
    random: Math.random,
    health: () => health.report(),
  })
  const health = createHealth({
    tests: () => selfTests(appliance.listening(), config.ports, store),
    uplink: appliance.uplink,
    clock: systemClock,
    monotonic: () => performance.now(),
    log,
  })
  const { lanServices, services } = appliance
  const idleMemory = createIdleMemory({ clock: systemClock, log, ...processMemory() })
  const stopAll = await startAll([...lanServices, ...services, health, idleMemory], log)
  await store
    .write(() => outbox.add('appliance.started', { version: manifest.version, sshPublicKey: siteKey.publicLine }))
    .catch((error) => log.error('store.write_failed', { error })) // a full disk must not keep the site from what it can still do
  log.info('appliance.started', { version: manifest.version, data: config.data })
  await firstSignal()
  setTimeout(() => process.exit(1), STOP_MS).unref()
  await stopAll()
  store.close()
  log.info('appliance.stopped')
}

async function main(): Promise<void> {
  const invocation = readConfig(process.argv.slice(2), process.env)
  if (invocation.run === 'help') process.stdout.write(USAGE)
  else if (invocation.run === 'version') process.stdout.write(`${manifest.version}\n`)
  else if (invocation.run === 'box') process.exit(await (await import('./system/box.ts')).runBox(invocation.config))
  else if (invocation.run === 'import') {
    process.exitCode = 1 // should the event loop ever run dry: nothing was imported
    process.exit(await runImport(invocation))
  } else {
    await run(invocation.config)
    process.exit(0)
  }
}

function fail(error: unknown): never {
  process.stderr.write(`bridgehead appliance: ${error instanceof Error ? error.message : String(error)}\n`)
  if (!(error instanceof ConfigError) && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exit(error instanceof ConfigError ? 2 : 1)
}

const start = () => void main().catch(fail)
if (startupSnapshot.isBuildingSnapshot()) {
  startupSnapshot.setDeserializeMainFunction(start)
  for (const parts of [import('./system/box.ts'), import('./system/care-parts.ts')]) void parts.catch(fail)
} else start()
