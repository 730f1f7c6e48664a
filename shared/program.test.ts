import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { runProgram, startProgram } from './program.ts'

const node = (program: string) => ['-e', program]

for (const { that, program, input, expected } of [
  {
    that: 'ends well',
    program: 'console.log("one\\ntwo")',
    input: undefined,
    expected: { stdout: 'one\ntwo', failed: false, how: 'exit code 0' },
  },
  {
    that: 'fails',
    program: 'console.error("no"); process.exit(3)',
    input: undefined,
    expected: { stderr: 'no', exitCode: 3, failed: true, how: 'exit code 3' },
  },
  {
    that: 'is killed',
    program: 'process.kill(process.pid, "SIGKILL")',
    input: undefined,
    expected: { signal: 'SIGKILL', failed: true, how: 'killed by SIGKILL' },
  },
  { that: 'reads', program: 'process.stdin.pipe(process.stdout)', input: 'words', expected: { stdout: 'words', failed: false } },
  { that: 'does not read', program: 'process.exit(0)', input: 'x'.repeat(1 << 20), expected: { failed: false } },
])
  test(`a program that ${that}`, async () => {
    expect(await runProgram(process.execPath, node(program), { input })).toMatchObject(expected)
  })

test('a program that is not there', async () => {
  expect(await runProgram('/nonexistent/program', [])).toMatchObject({ failed: true, code: 'ENOENT', how: 'not installed' })
  const started = startProgram('/nonexistent/program', [])
  expect(started.pid).toBeUndefined()
  expect(await started.gone).toMatchObject({ code: 'ENOENT' })
  await started.end()
})

test('a program that takes too long is killed', async () => {
  const program = node('setInterval(() => {}, 1000)')
  expect(await runProgram(process.execPath, program, { timeoutMs: 300 })).toMatchObject({ failed: true, how: 'not within 0.3 s' })
})

test('a program that ignores the wish to end is killed after its grace', async () => {
  const program = 'process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1000)'
  const started = startProgram(process.execPath, node(program), { read: ['stdout'] })
  await new Promise((resolve) => started.stdout?.once('data', resolve))
  await started.end(100)
  expect(await started.gone).toMatchObject({ signal: 'SIGKILL', failed: true })
})

test('what a started program writes can be read, and variables are added to our own', async () => {
  const started = startProgram(process.execPath, node('console.log(process.env.WORD, process.env.PATH !== undefined)'), {
    env: { WORD: 'hello' },
    read: ['stdout'],
  })
  expect(started.stdout && (await text(started.stdout))).toBe('hello true\n')
  expect(await started.gone).toMatchObject({ exitCode: 0 })
})
