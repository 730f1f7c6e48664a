import type { Log } from './log.ts'

/** A long-running part of a daemon. `stop` resolves once nothing of it runs; twice is harmless. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

export class StartError extends Error {
  readonly code = 'start_failed'
  constructor(service: string, options: { cause: unknown }) {
    super(`${service} did not start: ${options.cause instanceof Error ? options.cause.message : String(options.cause)}`, options)
  }
}

/** Starts in order, so that later ones may lean on earlier ones; the returned function stops in reverse. */
export async function startAll(services: readonly Service[], log: Log): Promise<() => Promise<void>> {
  const running: Service[] = []
  const stopAll = async () => {
    for (const service of running.splice(0).reverse())
      await service.stop().catch((error) => log.error('service.stop_failed', { service: service.name, error }))
  }
  for (const service of services) {
    running.push(service) // before start(), so that a half-started service is stopped too
    await service.start().catch(async (cause) => {
      await stopAll()
      throw new StartError(service.name, { cause })
    })
  }
  return stopAll
}
