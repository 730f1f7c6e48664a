#!/usr/bin/env node
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { type Api, createApi, LAB_EMAIL, LAB_PASSWORD, setUp } from './api.ts'
import { cacheDirectory } from './cache.ts'
import { DEV_SITE, devEnvironment, devPorts } from './dev-plan.ts'
import { waitFor } from './wait.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const USAGE = `npm run dev -- [options]      manager and appliance on loopback, without root; both start anew when a file changes

  --data DIR    where both keep their data (.bridgehead/dev)
  --port N      first of nine ports (8420)
  --help        this text
`

const children: ChildProcess[] = []
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Starts a daemon that follows its files; its output lines carry its name. */
function start(name: string, argv: readonly string[], env: Record<string, string>): void {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--watch', '--watch-preserve-output', ...argv], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => say(`${name.padEnd(9)} | ${line}`))
  child.on('exit', (code, signal) => say(`${name.padEnd(9)} | ended (${signal ?? `exit code ${code}`})`))
  children.push(child)
}

async function develop({ data, first }: { data: string; first: number }): Promise<void> {
  const ports = devPorts(first)
  const bucket = join(cacheDirectory(), 'bucket')
  mkdirSync(data, { recursive: true })
  mkdirSync(bucket, { recursive: true })
  const env = devEnvironment({ data, ports, bucket })
  start('manager', ['manager/main.ts'], env.manager)
  const url = `http://127.0.0.1:${ports.console}`
  const healthy = async () => ((await fetch(`${url}/healthz`).catch(() => undefined))?.ok ? true : undefined)
  await waitFor('the manager to answer', healthy, { ms: 60_000 })
  const api = await signIn(url, data)
  const config = await siteConfig(api, data)
  start('appliance', ['appliance/main.ts', '--config', config, '--data', join(data, 'appliance')], env.appliance)
  say(`
console     ${url}   (${LAB_EMAIL}, ${LAB_PASSWORD})
API         ${url}/api/v1/reference   (key in ${join(data, 'api-key')})
appliance   LAN HTTP http://127.0.0.1:${ports.http}, TFTP ${ports.tftp}, DNS ${ports.dns}, DHCP ${ports.dhcp}
stop        Ctrl-C
`)
}

/** The API key of the first start is kept beside the data. */
async function signIn(url: string, data: string): Promise<Api> {
  const file = join(data, 'api-key')
  if (!existsSync(file)) {
    const link = join(data, 'manager', 'setup-link')
    const text = await waitFor('the set-up link', () => (existsSync(link) ? readFileSync(link, 'utf8').trim() : undefined))
    writeFileSync(file, await setUp(url, new URL(text).searchParams.get('token') ?? ''), { mode: 0o600 })
  }
  return createApi({ url, key: readFileSync(file, 'utf8') })
}

/** Makes the site at the first start. Returns the path of its bridgehead.json. */
async function siteConfig(api: Api, data: string): Promise<string> {
  const file = join(data, 'bridgehead.json')
  if (existsSync(file)) return file
  const { id } = await api.send('POST', '/sites', DEV_SITE, z.object({ id: z.string() }))
  const { config } = await api.send('POST', `/sites/${id}/tokens`, {}, z.object({ config: z.record(z.string(), z.unknown()) }))
  writeFileSync(file, JSON.stringify(config, undefined, 2), { mode: 0o600 })
  return file
}

function stopAll(): void {
  for (const child of children) child.kill('SIGTERM')
}

function read(args: string[]) {
  const options = {
    data: { type: 'string', default: '.bridgehead/dev' },
    port: { type: 'string', default: '8420' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  const { data, port, help } = parseArgs({ args, strict: true, options }).values
  const first = Number(port)
  if (!Number.isInteger(first) || first < 1024 || first > 65_000)
    throw new Error(`--port: expected a number from 1024 to 65000, got "${port}"`)
  return { data: resolve(data), first, help }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopAll)
try {
  const { help, ...options } = read(process.argv.slice(2))
  if (help) process.stdout.write(USAGE)
  else await develop(options)
} catch (error) {
  process.stderr.write(`dev: ${error instanceof Error ? error.message : String(error)}\n`)
  stopAll()
  process.exitCode = 1
}
