import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CliRig, startCliRig } from './test-rig.ts'

let rig: CliRig
let sites: Record<string, string>
beforeEach(async () => {
  rig = await startCliRig()
  sites = {}
  for (const site of ['berlin', 'paris']) {
    const lans = [{ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'serve' }]
    sites[site] = (await post('/sites', { name: site, lans })).id
    await post('/hosts', { site, name: 'db', macs: ['52:54:00:00:00:01'], tags: { role: 'db' } })
  }
  await post('/hosts', { site: 'berlin', name: 'web', macs: ['52:54:00:00:00:02'], tags: { role: 'web' } })
})
afterEach(() => rig.close())

async function post(path: string, body: unknown): Promise<{ id: string }> {
  const headers = { authorization: `Bearer ${rig.key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${rig.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status).toBe(201)
  return (await answer.json()) as { id: string }
}

/** The parts of the only run, by site and host, once it is there. */
async function parts(): Promise<{ id: string; site: string; name: string }[]> {
  for (;;) {
    const rows = await rig.harness.db
      .selectFrom('run_hosts')
      .innerJoin('hosts', 'hosts.id', 'run_hosts.host')
      .select(['run_hosts.id', 'run_hosts.site', 'hosts.name'])
      .execute()
    if (rows.length > 0) return rows
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const output = (run: string, seq: number, text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
  rig.harness.fact('run.output', { run, seq, stream, text })
const finished = (run: string, exitCode: number) => rig.harness.fact('run.finished', { run, exitCode, ms: 1 })

test("one host's output is passed on as it is, and as it comes", async () => {
  const { promise: first, resolve: heard } = Promise.withResolvers<void>()
  const running = rig.cli(['run', 'role=web', '--', 'echo', 'two words'], { onOutput: () => heard() })
  const [part] = await parts()
  const run = part?.id ?? ''
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(run, 0, 'two ')])
  await first // before the run has ended
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(run, 1, 'words\n'), output(run, 2, 'oh\n', 'stderr'), finished(run, 0)])
  expect(await running).toEqual({
    code: 0,
    stdout: 'two words\n',
    stderr: 'site berlin is not in touch; it gets the order when it is back, until the deadline (Ctrl-C does not end it)\noh\n',
  })
  expect(await rig.harness.db.selectFrom('runs').select('text').executeTakeFirst()).toEqual({ text: "echo 'two words'" })
})

test('lines of several hosts carry their names, and those that failed are named at the end', async () => {
  const running = rig.cli(['run', 'role=db', '--', 'hostname; exit 3'])
  for (const { id, site } of await parts()) {
    await rig.harness.manager.ingest(site, [output(id, 0, 'one\ntw'), output(id, 1, 'o\n\x1b[2Jthree')])
    await rig.harness.manager.ingest(site, [finished(id, site === sites.paris ? 3 : 0)])
  }
  const { code, stdout, stderr } = await running
  expect(stdout.trim().split('\n').sort()).toEqual(
    [
      'berlin/db | one',
      'berlin/db | two',
      'berlin/db | \ufffd[2Jthree',
      'paris/db  | one',
      'paris/db  | two',
      'paris/db  | \ufffd[2Jthree',
    ].sort(),
  )
  expect(stderr).toContain('on 2 hosts at 2 sites\n')
  expect([code, stderr]).toEqual([1, expect.stringContaining('bridgehead: 1 of 2 hosts failed\n  paris/db: exit code 3\n')])
})

test('a lost connection is said, and nothing of the output is', async () => {
  const { promise: first, resolve: heard } = Promise.withResolvers<void>()
  const running = rig.cli(['run', 'role=web', '--', 'seq 3'], { onOutput: () => heard() })
  const [{ id = '' } = {}] = await parts()
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(id, 0, '1\n')])
  await first
  await rig.listener.stop()
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(id, 1, '2\n')])
  await rig.listener.start()
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(id, 2, '3\n'), finished(id, 0)])
  const { code, stdout, stderr } = await running
  expect([code, stdout]).toEqual([0, '1\n2\n3\n'])
  expect(stderr).toMatch(/is lost; trying again \(Ctrl-C ends this\)\nthe connection is back\n/)
}, 15_000)

test('Ctrl-C ends the watching, not the script', async () => {
  const stop = new AbortController()
  const running = rig.cli(['run', 'role=web', '--', 'sleep 60'], { signal: stop.signal })
  await parts()
  stop.abort()
  const { code, stderr } = await running
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/no longer watched; the script goes on\n {2}→ see it: bridgehead runs [0-9a-f-]{36} --follow/),
  ])
})

test('as JSON each fact is a line, and the last one is the whole run', async () => {
  const running = rig.cli(['run', 'role=web', '--json', '--', 'id'])
  const [{ id = '' } = {}] = await parts()
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(id, 0, 'x'), finished(id, 0)])
  const lines = (await running).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map((line) => line.kind)).toEqual(['run.output', 'run.finished', 'run'])
  expect(lines[0]).toMatchObject({ hostName: 'web', data: { text: 'x' } })
  expect(lines[2].run).toMatchObject({ done: true, hosts: [{ stdout: 'x', exitCode: 0 }] })
})

test('a run that was started without waiting is looked at later', async () => {
  expect((await rig.cli(['run', 'role=web', '--detach', '--', 'id'])).stdout).toContain('started on 1 host\n')
  const [{ id = '' } = {}] = await parts()
  await rig.harness.manager.ingest(sites.berlin ?? '', [output(id, 0, 'uid=0\n'), finished(id, 0)])
  const [run] = JSON.parse((await rig.cli(['runs', '--json'])).stdout).items
  expect((await rig.cli(['runs', run.id])).stdout).toBe('done: 1 finished; began just now\n\nweb: exit code 0\n  stdout  uid=0\n')
  expect((await rig.cli(['runs', run.id, '--follow'])).stdout).toBe('uid=0\n')
  expect((await rig.cli(['runs'])).stdout).toContain('1 run: all done\n')
})

test('a selector that nobody matches', async () => {
  const { code, stderr } = await rig.cli(['run', 'role=gpu', '--', 'id'])
  expect([code, stderr]).toEqual([
    1,
    'bridgehead: no host matches the selector "role=gpu"\n  → see which hosts a selector picks: bridgehead host ls SELECTOR\n',
  ])
})
