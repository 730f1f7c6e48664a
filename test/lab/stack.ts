import { join } from 'node:path'
import { buildAppliance } from '@bridgehead/appliance/build.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { artifactsOf, type LanMode, type Profile, SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Api } from './api.ts'
import { type ApplianceProcess, createAppliance } from './appliance-process.ts'
import { createLab, type Lab } from './lab.ts'
import { saveLogs } from './logs.ts'
import { createManager, lastLines, type ManagerProcess } from './manager-process.ts'
import { LAN, type LabSite } from './site.ts'
import { waitFor } from './wait.ts'

/** Kernel, installer and image for one architecture; see `prepare`. */
export type Target = NonNullable<Profile['targets']['x86_64']>

export interface StackSite {
  readonly id: string
  readonly name: string
  readonly lab: LabSite
  readonly appliance: ApplianceProcess
}

/** Manager and sites, running and enrolled: what a person has after the first minutes. */
export interface Stack {
  readonly lab: Lab
  readonly manager: ManagerProcess
  readonly api: Api
  readonly sites: readonly StackSite[]
  close(): Promise<void>
}

/** Something in a running lab failed; copies of all logs lie in `logs` after the lab is gone. */
export class StackError extends Error {
  readonly code = 'stack'
  readonly logs: string
  constructor(cause: unknown, logs: string) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.logs = logs
  }
}

export interface StackOptions {
  sites: 1 | 2
  /** Where the built images are; outlives the lab. */
  bucket: string
  /** What machines get; absent: no profile, and nothing is installed. */
  target?: Target | undefined
  mode?: LanMode
  /** A DHCP server on each site's router, as the box of a provider has it. */
  besideForeignDhcp?: boolean
  log: Log
  /** Told at each step, in words for people. */
  onStep?: (text: string) => void
}

const Id = z.object({ id: z.string() })
const Token = z.object({ config: z.record(z.string(), z.unknown()) })
const Status = z.object({
  revision: z.int(),
  applied: z.object({ revision: z.int() }).optional(),
  refused: z.object({ why: z.string() }).optional(),
  state: SiteState,
})

export async function createStack(options: StackOptions): Promise<Stack> {
  const { sites, bucket, log, onStep = () => undefined } = options
  const lab = await createLab({ sites, log })
  try {
    const manager = await createManager(lab, { bucket })
    const [bundle] = await Promise.all([bundleIn(lab), manager.start()])
    onStep(`manager runs at ${manager.url}`)
    const api = await manager.setUp()
    if (options.target) await approveEverything(api, options.target)
    if (options.besideForeignDhcp) for (const place of lab.sites) place.foreignDhcp()
    const made: StackSite[] = []
    for (const place of lab.sites) made.push(await enrol({ lab, api, place, bundle, mode: options.mode ?? 'serve' }))
    for (const site of made) onStep(`${site.name} runs revision ${await applied(api, site)}, all files in its cache`)
    return { lab, manager, api, sites: made, close: lab.close }
  } catch (error) {
    const logs = saveLogs(lab.directory)
    await lab.close()
    throw new StackError(error, logs)
  }
}

/** The appliance as it is shipped: one file and SQLite's native module. */
async function bundleIn(lab: Lab): Promise<string> {
  const { main } = await buildAppliance({ outdir: join(lab.directory, 'appliance'), arch: process.arch === 'arm64' ? 'arm64' : 'x64' })
  return main
}

export const PROFILE = 'debian'

/** The profile, and a rule that gives it to every machine. */
export async function approveEverything(api: Api, target: Target): Promise<void> {
  await api.send('POST', '/profiles', { name: PROFILE, targets: { x86_64: target } }, Id)
  await api.send('POST', '/rules', { name: 'every machine', match: {}, profile: PROFILE, tags: { lab: 'yes' } }, Id)
}

async function enrol({
  lab,
  api,
  place,
  bundle,
  mode,
}: {
  lab: Lab
  api: Api
  place: LabSite
  bundle: string
  mode: LanMode
}): Promise<StackSite> {
  const name = `site${place.index}`
  const lan = {
    name: 'lan',
    subnet: LAN.subnet,
    address: LAN.appliance,
    mode,
    router: LAN.router,
    ranges: [{ from: LAN.from, to: LAN.to }],
  }
  const { id } = await api.send('POST', '/sites', { name, tags: { place: name }, lans: [lan] }, Id)
  const { config } = await api.send('POST', `/sites/${id}/tokens`, {}, Token)
  const appliance = createAppliance(lab, { node: place.appliance, index: place.index, bundle, config })
  appliance.start()
  return { id, name, lab: place, appliance }
}

/** Waits until the newest state is applied and every artifact it names lies at the site. Returns the revision. */
export async function applied(api: Api, site: StackSite): Promise<number> {
  const details = () => `its log is ${site.appliance.logFile}:\n${lastLines(site.appliance.logFile, 6)}`
  const options = { ms: 120_000, everyMs: 250, details }
  const status = await waitFor(
    `${site.name} to apply its state`,
    async () => {
      const now = await api.get(`/sites/${site.id}/state`, Status)
      if (now.refused && now.applied === undefined) throw new Error(`${site.name} refused its state: ${now.refused.why}`)
      return now.applied?.revision === now.revision ? now : undefined
    },
    options,
  )
  const missing = new Set(artifactsOf(status.state).map((ref) => ref.sha256))
  const ended = AbortSignal.timeout(options.ms)
  if (missing.size > 0)
    for await (const event of api.events({ signal: ended })) {
      if (event.site !== site.id) continue
      if (event.kind === 'artifact.refused') throw new Error(`${site.name} refused ${event.data.name}: ${event.data.why}`)
      if (event.kind === 'artifact.ready') missing.delete(String(event.data.sha256))
      if (missing.size === 0) break
    }
  if (missing.size > 0) throw new Error(`${missing.size} artifacts did not come to ${site.name} in 120 s; ${details()}`)
  return status.revision
}
