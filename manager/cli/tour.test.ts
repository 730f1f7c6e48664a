import { spawn } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newBox } from '../harness.ts'
import { buildCli } from './build.ts'
import { type MediaRoom, startMediaRoom } from './test-media.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

const HOST = '01a20000-0000-7000-8000-00000000000a'
/** Commands, with what they say; between them, what happens at the site. */
type Step = { sh: string; says: string | undefined } | { happens: string }

let rig: CliRig
let room: MediaRoom
let steps: Step[]
const closed = new AbortController()
let answering: Promise<void>
beforeAll(async () => {
  steps = tourOf(await readFile(join(import.meta.dirname, 'README.md'), 'utf8'))
  room = startMediaRoom({ findSite: async (_, name) => ({ id: 'site', name, lans: [{ address: '192.168.1.2' }] }) })
  rig = await startCliRig({ engines: room.engines, now: Date.now() }) // the command has its own clock
  const { bytes } = await buildCli({ outfile: join(rig.directory, 'bin', 'bridgehead.mjs') })
  expect(bytes, 'none of the manager is in it').toBeLessThan(300 * 1024)
  const command = join(rig.directory, 'bin', 'bridgehead')
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${command}.mjs" "$@"\n`)
  await chmod(command, 0o755)
  await mkdir(join(rig.directory, 'work'))
  const file = (name: string) => ({ sha256: 'a'.repeat(64), bytes: 1, name })
  await post('/profiles', { name: 'debian', targets: { x86_64: { kernel: file('linux'), initrd: file('initrd') } } })
  answering = answerRuns()
}, 60_000)
afterAll(async () => {
  closed.abort()
  await answering
  await rig.close()
})

test('the tour in the README does what it says', async () => {
  expect(steps.length).toBeGreaterThan(8)
  for (const step of steps) {
    if ('happens' in step) {
      const happens = SITE[step.happens]
      expect(happens, step.happens).toBeDefined()
      await happens?.()
      continue
    }
    const { code, text } = await shell(step.sh)
    expect(code, `${step.sh}\n${text}`).toBe(0)
    if (step.says !== undefined) expectLines(text, step.says, step.sh)
  }
}, 60_000)

/** What the README's comments tell of. */
const SITE: Record<string, () => Promise<void>> = {
  'the box enrols, and a machine boots from the network': async () => {
    const { token } = JSON.parse(await readFile(join(rig.directory, 'work', 'bridgehead.json'), 'utf8'))
    await post('/enrol', await newBox().request(token), 200)
    const revision = await settledRevision()
    rig.harness.bus.online.set(await site(), { at: Date.now(), version: '0.1.0', revision, outbox: 0, counters: {} })
    await tell('state.applied', { revision })
    await tell('host.discovered', { facts: { macs: ['52:54:00:12:34:56' as never], platform: 'bios-x86' }, lan: 'lan' }, HOST)
  },
  'the machine is installed': async () => {
    const MIB = 2 ** 20
    const stages: [string, number, object?][] = [
      ['discover', 0],
      ['ack', 100],
      ['script', 900],
      ['kernel', 1_000, { bytes: 14 * MIB, ms: 500 }],
      ['image', 1_000, { bytes: 0, total: 140 * MIB }],
      ['image', 9_000, { bytes: 70 * MIB, total: 140 * MIB }],
      ['installed', 2_000],
      ['phone-home', 25_000],
    ]
    const total = stages.reduce((sum, [, after]) => sum + after, 0)
    rig.harness.clock.advance(-total)
    for (const [stage, after, more] of stages) {
      rig.harness.clock.advance(after)
      await tell('boot.stage', { boot: 'b1', stage: stage as never, ...more }, HOST)
    }
    await tell('host.status', { status: 'ready' }, HOST)
  },
}

const site = async () => (await rig.harness.db.selectFrom('sites').select('id').executeTakeFirstOrThrow()).id
async function settledRevision(): Promise<number> {
  const state = await rig.harness.manager.signedState(await site())
  expect(state).toBeDefined()
  return (await rig.harness.db.selectFrom('site_states').select('revision').executeTakeFirstOrThrow()).revision
}
async function tell(...[kind, data, host]: Parameters<CliRig['harness']['fact']>): Promise<void> {
  await rig.harness.manager.ingest(await site(), [rig.harness.fact(kind, data, host)])
}
async function post(path: string, body: unknown, status = 201): Promise<void> {
  const headers = { authorization: `Bearer ${rig.key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${rig.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status, await answer.text()).toBe(status)
}

/** The appliance's part in runs. */
async function answerRuns(): Promise<void> {
  while (!closed.signal.aborted) {
    const queued = await rig.harness.db
      .selectFrom('run_hosts')
      .innerJoin('runs', 'runs.id', 'run_hosts.run')
      .select(['run_hosts.id', 'runs.text'])
      .where('run_hosts.state', '=', 'queued')
      .execute()
    for (const { id: run, text } of queued) {
      await tell('run.started', { run, ip: '192.168.1.50' as never }, HOST)
      const said = text.includes('hello') ? 'hello from berlin\n' : 'db1\nup 3 minutes\n'
      await tell('run.output', { run, seq: 0, stream: 'stdout', text: said }, HOST)
      await tell('run.finished', { run, exitCode: 0, ms: 20 }, HOST)
    }
    await systemClock.sleep(50, closed.signal)
  }
}

function shell(text: string): Promise<{ code: number | null; text: string }> {
  const env = {
    PATH: [join(rig.directory, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: rig.directory,
    XDG_CONFIG_HOME: join(rig.directory, 'config'),
    URL: rig.url,
    KEY: rig.key,
  }
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-e', '-c', `exec 2>&1\n${text}`], {
      cwd: join(rig.directory, 'work'),
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text: said }))
  })
}

/** `…` stands for whatever comes: lines where it is alone in one, else text. */
function expectLines(text: string, says: string, sh: string): void {
  const pattern = says
    .trimEnd()
    .split('\n')
    .map((line) => (line === '…' ? '(?:.*\\n)*?' : `${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/…/g, '.*')}\\n`))
    .join('')
  expect(new RegExp(`^${pattern}$`).test(text), `${sh}\nsays\n${text}\nnot\n${says}`).toBe(true)
}

function tourOf(readme: string): Step[] {
  const tour = readme.slice(readme.indexOf('## Tour'), readme.indexOf('## Commands'))
  const steps: Step[] = []
  for (const [, happens, kind, text = ''] of tour.matchAll(/<!-- (.+) -->|```(sh|text)\n([\s\S]*?)```/g)) {
    const last = steps.at(-1)
    if (happens !== undefined) steps.push({ happens })
    else if (kind === 'sh') steps.push({ sh: text, says: undefined })
    else if (last && 'sh' in last) last.says = text
  }
  return steps
}
