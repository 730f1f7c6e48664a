import { renderTemplate } from '@bridgehead/shared/boot/render.ts'
import { INSTALL, LOCAL_DISK, WAIT } from '@bridgehead/shared/boot/scripts.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { expect, test } from 'vitest'
import { type BootDesk, bootRoutes } from './boot-routes.ts'
import type { LanRequest } from './lan-http.ts'

class Refused extends Error {
  status = 403
}

function desk() {
  const calls: unknown[][] = []
  const note =
    <T>(name: string, result: T) =>
    async (...values: unknown[]) => {
      calls.push([name, ...values])
      return result
    }
  const all: BootDesk = {
    serverUrl: (server) => `http://${server}`,
    script: note('script', '#!ipxe\n'),
    answers: note('answers', "HOSTNAME='a'\n"),
    stage: note('stage', undefined),
    installed: note('installed', undefined),
    failed: note('failed', undefined),
    phoneHome: note('phone-home', undefined),
  }
  return { calls, desk: all }
}

function ask(method: string, url: string, body = ''): LanRequest {
  const { pathname, searchParams } = new URL(url, 'http://x')
  return { method, path: pathname, query: searchParams, client: '10.0.0.9' as Ipv4, server: '10.0.0.2' as Ipv4, body: async () => body }
}

for (const row of [
  { asks: ask('GET', '/boot/start.ipxe'), status: 200, body: 'chain --replace --autofree http://10.0.0.2/boot/script?mac=${netX/mac}' },
  { asks: ask('HEAD', '/autoexec.ipxe'), status: 200, body: '#!ipxe' },
  { asks: ask('GET', '/loaders/autoexec.ipxe'), status: 200, body: '#!ipxe' },
  { asks: ask('GET', '/boot/script?mac=nonsense'), status: 400, body: 'mac: expected a MAC address' },
  { asks: ask('POST', '/boot/script?mac=52:54:00:00:00:01'), status: 405, body: 'expected GET' },
  { asks: ask('GET', '/boot/grub.cfg?mac=nonsense'), status: 400, body: 'mac: expected a MAC address' },
  { asks: ask('GET', '/boot/b/answers?token=t'), status: 200, body: "HOSTNAME='a'", call: ['answers', 'b', 't', '10.0.0.9', '10.0.0.2'] },
  {
    asks: ask('POST', '/boot/b/stage?token=t&stage=image&bytes=5&total=-1'),
    status: 204,
    call: ['stage', 'b', 't', '10.0.0.9', { stage: 'image', bytes: 5, total: undefined, detail: undefined }],
  },
  { asks: ask('POST', '/boot/b/installed?token=t'), status: 204, call: ['installed', 'b', 't', '10.0.0.9'] },
  { asks: ask('POST', '/boot/b/failed?token=t', 'no disk'), status: 204, call: ['failed', 'b', 't', '10.0.0.9', 'no disk'] },
  {
    asks: ask('POST', '/phone-home/b', 'token=p&hostkeys=ssh-ed25519%20A%0Assh-rsa%20B'),
    status: 204,
    call: ['phone-home', 'b', 'p', '10.0.0.9', ['ssh-ed25519 A', 'ssh-rsa B']],
  },
])
  test(`${row.asks.method} ${row.asks.path} is answered ${row.status}`, async () => {
    const { calls, desk: one } = desk()
    const answer = await bootRoutes(one)(row.asks)
    expect(answer?.status).toBe(row.status)
    if (row.body) expect(answer?.body).toContain(row.body)
    if (row.call) expect(calls).toEqual([row.call])
  })

test('what iPXE says of the machine becomes facts; an all-zero UUID does not', async () => {
  const { calls, desk: one } = desk()
  await bootRoutes(one)(
    ask(
      'GET',
      '/boot/script?mac=52:54:00:00:00:01&uuid=00000000-0000-0000-0000-000000000000&platform=efi&arch=arm64&serial=&vendor=Acme%20Inc',
    ),
  )
  expect(calls[0]?.[1]).toEqual({
    client: { mac: '52:54:00:00:00:01', uuid: undefined, platform: 'uefi-arm64', stage: 'ipxe', http: false },
    ip: '10.0.0.9',
    server: '10.0.0.2',
    facts: { serial: undefined, vendor: 'Acme Inc', product: undefined },
  })
})

test('paths of others are left to others, and a refusal keeps its status and sentence', async () => {
  const { desk: one } = desk()
  expect(await bootRoutes(one)(ask('GET', '/elsewhere'))).toBeUndefined()
  const refusing = { ...one, answers: () => Promise.reject(new Refused('the token is not its own')) }
  expect(await bootRoutes(refusing)(ask('GET', '/boot/b/answers?token=x'))).toEqual({ status: 403, body: 'the token is not its own\n' })
})

test('signed GRUB gets its own form of every built-in script, and a sentence where there is none', async () => {
  const served = async (script: string) => {
    const answer = await bootRoutes({ ...desk().desk, script: async () => script })(
      ask('GET', '/boot/grub.cfg?mac=52:54:00:00:00:01&arch=x86_64&platform=efi'),
    )
    expect(answer?.status).toBe(200)
    return String(answer?.body)
  }
  const host = {
    host: { name: 'web-1', mac: 'm' },
    site: { name: 's' },
    server: 'http://10.0.0.2',
    profile: { name: 'debian', version: 1 },
  }
  const vars = {
    ...host,
    kernel: { url: 'http://10.0.0.2/artifacts/a/vmlinuz' },
    initrd: { url: 'http://10.0.0.2/artifacts/b/initrd' },
    cmdline: 'quiet',
  }
  expect(await served(renderTemplate(INSTALL, vars))).toContain('linux "(http,10.0.0.2)/artifacts/a/vmlinuz" "quiet"')
  expect(await served(renderTemplate(WAIT, vars))).toContain('configfile "(http,10.0.0.2)/boot/grub.cfg?mac=$net_default_mac')
  expect(await served(renderTemplate(LOCAL_DISK, vars))).toContain('if ipxe_disk;')
  expect(await served('#!ipxe\nmenu Choose\n')).toContain('needs iPXE')
})
