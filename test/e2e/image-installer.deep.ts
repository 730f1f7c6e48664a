import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, stat, truncate } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { accelerator } from '../lab/accelerator.ts'
import { type Images, preparedImage } from '../lab/images.ts'

// The installer alone: QEMU starts its kernel directly, and a small server plays the site, well or badly.
const MIB = 1_048_576
const STALE = Buffer.alloc(4096, 0xaa)
let images: Images
let speed: readonly string[]
beforeAll(async () => {
  images = await preparedImage({ progress: () => undefined })
  speed = (await accelerator({ kernel: images.kernelFile })).args
})

let directory: string
let disk: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-installer-'))
  disk = join(directory, 'disk.raw')
})
afterEach(() => rm(directory, { recursive: true }))

const object = (sha256: string) => join(images.bucket, 'objects', sha256.slice(0, 2), sha256)
const image = () => images.target.image ?? { sha256: '', bytes: 0, name: '' }
const imageBytes = () => images.target.imageBytes ?? 0

interface Site {
  answers?: Record<string, string>
  /** Plays the n-th download itself when it returns true. */
  download?: (request: IncomingMessage, response: ServerResponse, attempt: number) => boolean
  /** Status of the n-th `installed`. */
  installed?: (attempt: number) => number
}

/** Runs the installer to its end; returns what it told the site, `path?query body`, without boot id and token. */
async function install(site: Site, { memoryMiB = 1024, diskMiB = 2048 } = {}): Promise<{ told: string[]; ranges: (string | undefined)[] }> {
  const told: string[] = []
  const ranges: (string | undefined)[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
      if (pathname === '/image') {
        ranges.push(request.headers.range)
        if (!site.download?.(request, response, ranges.length)) sendImage(request, response)
        return
      }
      const what = pathname.replace('/boot/b1/', '')
      if (what === 'answers') return void response.end(answers((server.address() as AddressInfo).port, site.answers))
      searchParams.delete('token')
      told.push(`${what} ${decodeURIComponent(searchParams.toString())} ${Buffer.concat(chunks)}`.trim())
      const attempt = told.filter((line) => line === 'installed').length
      response.writeHead(what === 'installed' ? (site.installed?.(attempt) ?? 204) : 204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await fillStale(diskMiB)
    await boot((server.address() as AddressInfo).port, memoryMiB)
  } finally {
    server.close()
    server.closeAllConnections()
  }
  return { told, ranges }
}

function sendImage(request: IncomingMessage, response: ServerResponse): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const { bytes } = image()
  if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${bytes - 1}/${bytes}`, 'content-length': bytes - start })
  else response.writeHead(200, { 'content-length': bytes })
  createReadStream(object(image().sha256), { start }).pipe(response)
}

function answers(port: number, more: Record<string, string> = {}): string {
  const all = {
    IMAGE_URL: `http://10.0.2.2:${port}/image`,
    IMAGE_SHA256: image().sha256,
    IMAGE_BYTES: String(imageBytes()),
    HOSTNAME: 'till-1',
    DISK: '',
    AUTHORIZED_KEYS_B64: Buffer.from('ssh-ed25519 AAAA test\n').toString('base64'),
    POST_INSTALL_B64: '',
    PHONE_HOME_URL: 'http://10.0.2.2/phone-home/b1',
    PHONE_HOME_TOKEN: 'secret',
    ...more,
  }
  return Object.entries(all)
    .map(([key, value]) => `${key}='${value}'\n`)
    .join('')
}

/** A disk that was used before. */
async function fillStale(diskMiB: number): Promise<void> {
  const file = await open(disk, 'w')
  const block = Buffer.alloc(MIB, 0xaa)
  for (let at = 0; at < Math.min(diskMiB, imageBytes() / MIB + 16); at++) await file.write(block)
  await file.close()
  await truncate(disk, diskMiB * MIB)
}

function boot(port: number, memoryMiB: number): Promise<void> {
  const { kernel, initrd } = images.target
  const words = `console=ttyS0 quiet bridgehead.server=http://10.0.2.2:${port} bridgehead.boot=b1 bridgehead.token=t bridgehead.mac=52:54:00:12:34:56`
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-smp', '2', '-m', String(memoryMiB), '-serial', 'stdio', ...speed],
      ...['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe,discard=unmap`],
      ...['-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,romfile='],
      ...['-kernel', object(kernel.sha256), '-initrd', object(initrd.sha256), '-append', words],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  return new Promise((resolve, reject) => {
    let serial = ''
    child.stdout.on('data', (chunk: Buffer) => {
      serial += chunk
      if (serial.includes('rebooting in 30 seconds')) child.kill() // it has said all it had to say
    })
    const limit = setTimeout(() => child.kill('SIGKILL') && reject(new Error(`the installer did not end:\n${serial}`)), 240_000)
    child.on('error', reject)
    child.on('exit', () => {
      clearTimeout(limit)
      resolve()
    })
  })
}

async function staleBlocks(): Promise<number> {
  const file = await open(disk, 'r')
  let found = 0
  const block = Buffer.alloc(MIB)
  for (let at = 0; at + MIB <= imageBytes(); at += MIB) {
    await file.read(block, 0, MIB, at)
    for (let index = 0; index < MIB; index += 4096) if (block.subarray(index, index + 4096).equals(STALE)) found++
  }
  await file.close()
  return found
}

for (const { memory, memoryMiB } of [
  { memory: 'memory enough: fetched, checked, then written', memoryMiB: 1024 },
  { memory: 'little memory: streamed', memoryMiB: 384 },
])
  test(`${memory}; nothing of the disk's former life is left; "installed" is repeated until it is taken`, async () => {
    const post = Buffer.from('echo "I am $(cat /etc/hostname)"').toString('base64')
    const { told } = await install(
      { answers: { POST_INSTALL_B64: post }, installed: (attempt) => (attempt < 3 ? 500 : 204) },
      { memoryMiB },
    )
    expect(told.filter((line) => !/stage=image/.test(line))).toEqual([
      'stage stage=installer',
      'stage stage=answers',
      'stage stage=configure',
      'stage stage=configure&detail=I+am+till-1',
      'installed',
      'installed',
      'installed',
    ])
    expect(told).toContain(`stage stage=image&bytes=${imageBytes()}&total=${imageBytes()}`)
    expect(await staleBlocks()).toBe(0)
    expect((await stat(disk)).size).toBe(2048 * MIB)
  })

test('a download that breaks off goes on where it broke', async () => {
  const { told, ranges } = await install({
    download: (_, response, attempt) => {
      if (attempt > 1) return false
      response.writeHead(200, { 'content-length': image().bytes })
      createReadStream(object(image().sha256), { end: 20 * MIB - 1 })
        .on('data', (chunk) => response.write(chunk))
        .on('end', () => response.end(() => response.destroy()))
      return true
    },
  })
  expect(told.at(-1)).toBe('installed')
  expect(ranges[0]).toBeUndefined()
  expect(ranges[1]).toMatch(/^bytes=\d{7,}-$/)
})

test('an image whose sha256 differs is refused, and the disk stays as it was', async () => {
  const { told, ranges } = await install({ answers: { IMAGE_SHA256: 'f'.repeat(64) } })
  expect(told.at(-1)).toBe(`failed  the image's sha256 is ${image().sha256}, expected ${'f'.repeat(64)} (3 attempts)`)
  expect(ranges).toHaveLength(3)
  expect(await staleBlocks()).toBe(Math.floor(imageBytes() / MIB) * 256)
})

test('a disk that is too small, and a post-install script that fails, are told in a sentence', async () => {
  const small = await install({}, { diskMiB: 100 })
  expect(small.told.at(-1)).toMatch(/^failed {2}no disk is large enough; the image needs \d+ MiB; found: vda \(100 MiB\)/)
  const post = Buffer.from('#!/bin/bash\necho oh no >&2\nexit 7\n').toString('base64')
  const failing = await install({ answers: { POST_INSTALL_B64: post } })
  expect(failing.told.at(-1)).toBe('failed  the post-install script ended with exit code 7: oh no')
})
