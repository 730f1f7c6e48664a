import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

/** Runs everything that a change must pass, and closes with one line over all runners: `N passed, N failed, N skipped`. */

interface Outcome {
  passed: number
  failed: number
  skipped: number
}

/** A check that passes or fails as a whole. */
interface Tool {
  name: string
  argv: string[]
}

const TOOLS: readonly Tool[] = [
  { name: 'types (tsc)', argv: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'types of the console (tsc)', argv: ['node_modules/typescript/bin/tsc', '-p', 'manager/web/app'] },
  { name: 'format, lint, layers (biome)', argv: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'] },
  { name: 'unused files, exports and packages (knip)', argv: ['node_modules/knip/bin/knip.js', '--no-progress'] },
]

/** What is read of vitest's JSON report. */
const Report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numFailedTestSuites: z.int(),
  success: z.boolean(),
})

const PLANS: Record<string, readonly string[]> = {
  check: ['unit'],
  test: ['unit', 'interop', 'e2e'],
  deep: ['unit', 'interop', 'e2e', 'deep'],
}

const [planName = 'test', ...filters] = process.argv.slice(2)
const projects = PLANS[planName]
if (!projects) {
  console.error(`unknown plan "${planName}"; expected one of ${Object.keys(PLANS).join(', ')}`)
  process.exit(2)
}

const total: Outcome = { passed: 0, failed: 0, skipped: 0 }
if (filters.length === 0) for (const tool of TOOLS) add(await runTool(tool))
for (const project of projects) add(await runVitest(project, filters))
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0)

function add(outcome: Outcome): void {
  total.passed += outcome.passed
  total.failed += outcome.failed
  total.skipped += outcome.skipped
}

async function runTool({ name, argv }: Tool): Promise<Outcome> {
  const began = performance.now()
  const code = await run(argv)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${code === 0 ? '✓' : '✗'} ${name} (${seconds} s)`)
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
}

/** One vitest process a project: a crash of one takes none of the others' results along. */
async function runVitest(project: string, filters: readonly string[]): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-report-'))
  const file = join(directory, 'report.json')
  try {
    const code = await run([
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...filters,
    ])
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) return { passed: 0, failed: 1, skipped: 0 }
    const report = Report.parse(JSON.parse(text))
    const failed = report.numFailedTests + (code !== 0 && report.numFailedTests === 0 ? Math.max(1, report.numFailedTestSuites) : 0)
    return { passed: report.numPassedTests, failed, skipped: report.numPendingTests }
  } finally {
    await rm(directory, { recursive: true })
  }
}

function run(argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...argv], { stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
