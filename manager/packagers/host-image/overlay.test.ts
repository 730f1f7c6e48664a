import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

const script = (name: string) => fileURLToPath(new URL(`./overlay/usr/lib/bridgehead/${name}`, import.meta.url))
let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  path = `${directory}${delimiter}${process.env.PATH}`
  await program('ip', 'echo "127.0.0.1 dev lo src 192.168.1.100 uid 0"')
  await program('sleep', 'echo "$1" >>"${0%/*}/slept"')
})
afterEach(() => rm(directory, { recursive: true }))

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(directory, name), `#!/bin/sh\n${body}\n`)
  await chmod(join(directory, name), 0o755)
}
const run = (name: string, ...args: string[]) =>
  execa(script(name), args, { env: { PATH: path }, reject: false, timeout: 10_000, all: true, stdin: 'ignore' })

test('a new host tells the site its keys and address until the answer is 204, then forgets the token', async () => {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      bodies.push(body)
      response.writeHead([503, 200, 204][bodies.length - 1] ?? 500).end(request.url)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const settings = join(directory, 'phone-home')
    await writeFile(settings, `URL=http://127.0.0.1:${port}/phone-home/b1\nTOKEN=a+b=c&d%\n`)
    await writeFile(join(directory, 'ssh_host_ed25519_key.pub'), 'ssh-ed25519 AAAA+/= root@till-1\n')
    await writeFile(join(directory, 'ssh_host_ecdsa_key.pub'), 'ecdsa-sha2-nistp256 BBBB root@till-1\n')
    const result = await run('phone-home', settings, directory)
    expect(result.exitCode, result.all).toBe(0)
    expect(result.stderr).toContain('HTTP/1.1 503')
    expect(bodies).toHaveLength(3)
    expect(Object.fromEntries(new URLSearchParams(bodies[2]))).toEqual({
      token: 'a+b=c&d%',
      hostkeys: 'ecdsa-sha2-nistp256 BBBB root@till-1\nssh-ed25519 AAAA+/= root@till-1\n',
      ip: '192.168.1.100',
    })
    await expect(stat(settings)).rejects.toThrow('ENOENT')
    expect(await readFile(join(directory, 'slept'), 'utf8')).toBe('1\n2\n')
  } finally {
    server.close()
  }
})

for (const { settings, message } of [
  { settings: 'TOKEN=x\n', message: 'no URL=' },
  { settings: 'URL=http://127.0.0.1/\n', message: 'no TOKEN=' },
  { settings: 'URL=ftp://127.0.0.1/\nTOKEN=x\n', message: 'expected URL=http://HOST[:PORT]/PATH' },
])
  test(`settings ${JSON.stringify(settings)} are refused: ${message}`, async () => {
    await writeFile(join(directory, 'phone-home'), settings)
    const result = await run('phone-home', join(directory, 'phone-home'), directory)
    expect(result.exitCode).not.toBe(0)
    expect(result.stderr).toContain(message)
  })

test('name servers and domains from DHCP reach resolv.conf', async () => {
  const state = join(directory, 'state')
  await writeFile(
    state,
    '# This is private data.\nOPER_STATE=routable\nDNS=192.168.1.2 10.0.0.1%eth0#name\nNTP=\nDOMAINS=internal lan\nROUTE_DOMAINS=\n',
  )
  const result = await run('resolv', state, directory)
  expect(result.exitCode, result.all).toBe(0)
  expect(await readFile(join(directory, 'resolv.conf'), 'utf8')).toBe(
    'nameserver 192.168.1.2\nnameserver 10.0.0.1%eth0\nsearch internal lan\n',
  )
})

test('without a lease there is no resolv.conf, and that is no error', async () => {
  expect((await run('resolv', join(directory, 'nothing'), directory)).exitCode).toBe(0)
})
