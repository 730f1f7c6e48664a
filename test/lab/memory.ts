import { readFileSync } from 'node:fs'

/** What a process holds, in MiB, as the kernel counts it. */
export interface Memory {
  /** VmRSS: all of its pages that are in memory, those of the shared page cache too. */
  rss: number
  /** RssAnon: what it made itself and nobody else can use; only its end gives it back. */
  anon: number
  /** RssFile: pages of its program and libraries. Under pressure the kernel drops them and reads them again. */
  file: number
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    if (kib === undefined) throw new Error(`/proc/${pid}/status has no ${name}`)
    return Math.round(Number(kib) / 102.4) / 10
  }
  return { rss: field('VmRSS'), anon: field('RssAnon'), file: field('RssFile') }
}
