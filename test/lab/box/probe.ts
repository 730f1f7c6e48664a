import { fileURLToPath } from 'node:url'
import type { LabNode } from '../node.ts'

/** What a box gives its LAN. */
export const SERVICES = ['dhcp', 'dns', 'tftp', 'http'] as const
export type Service = (typeof SERVICES)[number]

/** Asks a box's services again and again, from its LAN, and keeps when each was answered. */
export interface Probe {
  /** Epoch ms of every answer so far. */
  answers(service: Service): readonly number[]
  /** The longest silence in ms that began or lasted after `from` (epoch ms), the present one included. */
  longestSilence(service: Service, from: number): number
  stop(): Promise<void>
}

export function startProbe(guest: LabNode, { server, name }: { server: string; name: string }): Probe {
  const heard: Record<Service, number[]> = { dhcp: [], dns: [], tftp: [], http: [] }
  let rest = ''
  const running = guest.spawn(
    'probe',
    [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('probe-process.ts', import.meta.url)),
      '52:54:00:ff:00:01',
      server,
      name,
    ],
    {
      onOutput(chunk) {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const [what, at] = line.split(' ')
          const service = SERVICES.find((one) => one === what)
          if (service) heard[service].push(Number(at))
        }
      },
    },
  )
  return {
    answers: (service) => heard[service],
    longestSilence: (service, from) => longestGap(heard[service], from, Date.now()),
    stop: () => running.end(),
  }
}

/** Between answers, of which the first that counts is the last one before `from`. */
export function longestGap(answers: readonly number[], from: number, now: number): number {
  let last = answers.findLast((at) => at <= from) ?? from
  let longest = 0
  for (const at of [...answers.filter((one) => one > from), now]) {
    longest = Math.max(longest, at - last)
    last = at
  }
  return longest
}
