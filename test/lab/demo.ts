#!/usr/bin/env node
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLog } from '@bridgehead/shared/log.ts'
import { type Accelerator, accelerator } from './accelerator.ts'
import { LAB_EMAIL, LAB_PASSWORD } from './api.ts'
import { runScript } from './follow.ts'
import { preparedImage } from './images.ts'
import { followInstall } from './install.ts'
import { stopRequested } from './lab.ts'
import { saveLogs } from './logs.ts'
import { plugIn } from './machines.ts'
import { withPrivilege } from './privilege.ts'
import { createStack, type Stack, StackError } from './stack.ts'
import { DEMO_USAGE, type DemoOptions, OptionError, readDemoOptions } from './view/options.ts'
import { jsonReport, type Place, type Report, textReport } from './view/report.ts'

const SCRIPT = `echo "hello from $(hostname), $(. /etc/os-release && echo "$PRETTY_NAME"), kernel $(uname -r)"
echo "up for $(cut -d ' ' -f 1 /proc/uptime) s, root file system $(df -h --output=size / | tail -n 1 | tr -d ' '), at $(hostname -I)"
`

/** From nothing to a script's output on a machine that was bare: see README.md. Returns the exit code. */
async function demo(options: DemoOptions, report: Report): Promise<number> {
  const began = Date.now()
  // Before the namespaces, because the package archive is reached from the machine's own network.
  const image = await report.step(
    'host image',
    (progress) => preparedImage({ progress }),
    (found) => found.words,
  )
  await withPrivilege()
  const speed = await report.step(
    'accelerator',
    () => accelerator({ kernel: image.kernelFile }),
    (found) => `${found.kind.toUpperCase()}: ${found.why}`,
  )
  const log = createLog({ name: 'lab', level: 'warn' })
  const stack = await report.step('manager and site', (progress) =>
    createStack({ sites: 1, bucket: image.bucket, target: image.target, log, onStep: progress }),
  )
  try {
    return await installOne({ stack, options, report, began, speed })
  } catch (error) {
    throw new StackError(error, saveLogs(stack.lab.directory))
  } finally {
    await stack.close()
  }
}

async function installOne({
  stack,
  options,
  report,
  began,
  speed,
}: {
  stack: Stack
  options: DemoOptions
  report: Report
  began: number
  speed: Accelerator
}): Promise<number> {
  const [site] = stack.sites
  if (!site) throw new Error('the lab has no site')
  const machine = await plugIn(stack, site, { firmware: options.firmware, accelerator: speed })
  const since = await machine.powerOn()
  report.powerOn(machine, since)
  const story = await followInstall(stack.api, machine, { since, onTold: (told, now) => report.told(told, now) })
  const [run] = await runScript(stack.api, { text: SCRIPT, hosts: [story.host ?? ''] })
  const now = Date.now()
  if (run?.exitCode !== 0) throw new Error(`the script ended with ${run?.error ?? `exit code ${run?.exitCode}`}: ${run?.stderr ?? ''}`)
  const result = {
    firmware: options.firmware,
    powerOnToSshMs: now - since,
    totalMs: now - began,
    ssh: { exitCode: run.exitCode, stdout: run.stdout ?? '' },
  }
  report.done(result, options.keep ? placeOf(stack) : undefined)
  if (options.keep) await stopRequested()
  return 0
}

function placeOf({ manager: { url }, api, lab: { directory } }: Stack): Place {
  const credentials = join(directory, 'credentials.json')
  writeFileSync(credentials, JSON.stringify({ url, email: LAB_EMAIL, password: LAB_PASSWORD, apiKey: api.key }, undefined, 2), {
    mode: 0o600,
  })
  return { url, credentials, directory, pid: process.pid }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readDemoOptions(args)
  if (options.help) {
    process.stdout.write(DEMO_USAGE)
    return 0
  }
  const deps = { out: process.stdout, now: Date.now }
  const report = options.json ? jsonReport(deps) : textReport(deps)
  try {
    return await demo(options, report)
  } catch (error) {
    report.failed(error instanceof Error ? error.message : String(error), error instanceof StackError ? error.logs : undefined)
    return 1
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof OptionError ? 2 : 1
}
