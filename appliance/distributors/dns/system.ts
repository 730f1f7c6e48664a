import { readFileSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'

const FRESH_MS = 10_000

/** The machine's own name servers. The file is read again at most every 10 s: a DHCP client may change it at any time. */
export function systemForwarders(clock: Clock, path = '/etc/resolv.conf'): () => readonly string[] {
  let read: { at: number; list: readonly string[] } | undefined
  return () => {
    if (!read || clock.now() - read.at >= FRESH_MS) read = { at: clock.now(), list: nameServers(readText(path)) }
    return read.list
  }
}

/** `nameserver` lines of resolv.conf(5), in order. A scope (`fe80::1%eth0`) stays. */
export function nameServers(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, ip] = /^\s*nameserver\s+(\S+)/.exec(line) ?? []
    return ip ? [ip] : []
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
