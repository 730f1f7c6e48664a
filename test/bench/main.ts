// npm run bench -- dhcp|dns|http|media|image|console [--json]: ours and the peers in turn, in the same pair of namespaces.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Bench, BenchRow } from './harness.ts'

const BENCHES = {
  dhcp: 'benchDhcp',
  dns: 'benchDns',
  http: 'benchHttp',
  media: 'benchMedia',
  image: 'benchImage',
  console: 'benchConsole',
} as const
type Name = keyof typeof BENCHES
const RESULTS = new URL('results.json', import.meta.url)

const args = process.argv.slice(2)
const json = args.includes('--json')
const unknown = args.filter((arg) => arg !== '--json' && !isName(arg))
if (unknown.length > 0) {
  process.stderr.write(`bench: unknown "${unknown.join(' ')}"; expected any of ${Object.keys(BENCHES).join(', ')} and --json\n`)
  process.exit(2)
}
const chosen = args.filter(isName)
for (const name of chosen.length > 0 ? chosen : Object.keys(BENCHES).filter(isName)) await run(name)

async function run(name: Name): Promise<void> {
  // by name, so that one bench that does not load leaves the others alone
  const module: Record<string, unknown> = await import(`./${name}.ts`)
  const bench = module[BENCHES[name]]
  if (!isBench(bench)) throw new TypeError(`test/bench/${name}.ts exports no function ${BENCHES[name]}`)
  const rows = await bench({ json })
  for (const one of rows) process.stdout.write(json ? `${JSON.stringify(one)}\n` : `${line(one)}\n`)
  record(rows)
}

function line({ bench, peer, unit, value, peerValue, ratio }: BenchRow): string {
  return `${bench.padEnd(20)} ours ${String(value).padStart(9)} ${unit}   ${peer} ${String(peerValue).padStart(9)} ${unit}   ratio ${ratio}`
}

/** Appends one run; written beside and renamed, so that an interrupted run leaves the old file whole. */
function record(rows: BenchRow[]): void {
  const runs: unknown[] = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : []
  const cpu = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`
  runs.push({ date: new Date().toISOString(), cpu, rows })
  const next = new URL('results.json.next', import.meta.url)
  writeFileSync(next, `${JSON.stringify(runs, null, 1)}\n`)
  renameSync(next, RESULTS)
}

function isName(text: string): text is Name {
  return Object.hasOwn(BENCHES, text)
}

function isBench(value: unknown): value is Bench {
  return typeof value === 'function'
}
