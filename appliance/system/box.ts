import { join } from 'node:path'
import { createLog } from '@bridgehead/shared/log.ts'
import { startAll } from '@bridgehead/shared/service.ts'
import type { BoxConfig } from '../config.ts'
import { endOnBugs, firstSignal, STOP_MS } from '../daemon.ts'
import { startedFacts } from '../update/started-facts.ts'
import { followNewToken } from '../uplink/enrol.ts'
import { readHardware } from '../uplink/hardware.ts'
import { diskIsBack, returnToDisk, STORE, setAside } from './box-store.ts'
import { type LanParts, makeLanParts } from './lan-parts.ts'
import { createLogRing } from './log-ring.ts'

/** `start me anew at once`: the data partition failed, or came back. */
const EXIT_AGAIN = 75

/** Between two parts that are not the LAN's, so that whoever asked meanwhile is answered. */
const BREATH_MS = 20

/**
 * The daemon of a flashed box. Its LAN comes first: nothing else is even loaded before that is served. Resolves with the exit status.
 */
export async function runBox(config: BoxConfig): Promise<number> {
  const ring = createLogRing((line) => process.stderr.write(line))
  const log = createLog({ name: 'appliance', level: config.logLevel, stream: ring })
  endOnBugs(log)
  const lan = await makeLanParts(config, { log, again: () => process.exit(EXIT_AGAIN) })
  const stopLan = await startAll(lan.services, log)
  const breath = { name: 'breath', start: () => lan.clock.sleep(BREATH_MS), async stop() {} }
  await breath.start()

  const told = tellStarted(lan) // first: what the others tell rests on it
  const { makeCareParts } = await import('./care-parts.ts')
  const care = makeCareParts(lan, ring)
  const stopCare = await startAll(
    care.services.flatMap((service) => [service, breath]),
    log,
  )
  await told
  log.info('appliance.started', { version: lan.boot.version, slot: lan.boot.slot, board: lan.boot.board, data: lan.place.directory })
  lan.settings.onChange(care.installIfAsked)
  care.installIfAsked()

  const why = await reasonToEnd(lan)
  setTimeout(() => process.exit(1), STOP_MS).unref()
  await stopCare()
  await stopLan()
  lan.store.close()
  log.info('appliance.stopped', { why })
  if (why === 'signal') return 0
  if (why === 'other') setAside(join(lan.place.directory, STORE), 'other-site', log)
  if (why === 'disk') returnToDisk(lan.paths, log)
  return EXIT_AGAIN
}

function tellStarted({ store, outbox, boot, siteKey, log }: LanParts): Promise<void> {
  const facts = startedFacts(store.db, boot)
  return store
    .write(() => outbox.add('appliance.started', { version: boot.version, sshPublicKey: siteKey.publicLine, ...facts }))
    .catch((error) => log.error('store.write_failed', { error })) // a full disk must not keep the site from what it can still do
}

/** Waits for a signal, for a token that was put on the card, or for the disk to come back. */
async function reasonToEnd({ enrolment, identity, boot, place, paths, store, clock, log }: LanParts) {
  const stopping = new AbortController()
  const { signal } = stopping
  const newToken = followNewToken({
    ...enrolment,
    ...{ identity, hardware: readHardware(), version: boot.version, store, clock, log, random: Math.random, signal },
  }).then((how) => how ?? new Promise<never>(() => {}))
  const back = place.state === 'memory' && place.mayReturn ? diskIsBack(paths, clock) : undefined
  const why = await Promise.race([firstSignal().then(() => 'signal' as const), newToken, ...(back ? [back] : [])])
  stopping.abort()
  return why
}
