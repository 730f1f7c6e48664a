import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { LabNode } from '../node.ts'
import type { Running } from '../processes.ts'
import type { Testimony } from './witness.ts'

const Answer = z.object({
  type: z.enum(['ack', 'nak']),
  mac: z.string(),
  ip: z.string(),
  seconds: z.number(),
  at: z.number(),
  logBytes: z.number(),
})
type Answer = z.infer<typeof Answer>

/** Machines that come to the LAN and stay; each DHCPACK is told as what it promises. */
export function startClients(
  guest: LabNode,
  { log, clients, perSecond, onLease }: { log: string; clients: number; perSecond: number; onLease: (lease: Testimony) => void },
): Running {
  return run(guest, ['come', log, String(clients), String(perSecond)], (answer) => {
    if (answer.type === 'ack') onLease(leaseOf(answer))
  })
}

const leaseOf = ({ mac, ip, seconds, at, logBytes }: Answer): Testimony => ({
  ...{ kind: 'lease', mac, ip, until: at + seconds * 1000, at, logBytes },
})

/**
 * Every machine asks for the address that it had; one that had none asks for any. Resolves after `ms` at the latest with one sentence for
 * each that did not get it, and with what the box promised meanwhile.
 */
export async function renewAll(
  guest: LabNode,
  leases: ReadonlyMap<string, string | undefined>,
  ms: number,
): Promise<{ problems: string[]; leases: Testimony[] }> {
  const answers = new Map<string, Answer>()
  const asked = run(
    guest,
    ['renew', [...leases].map(([mac, ip]) => `${mac}=${ip ?? ''}`).join()],
    (answer) => void answers.set(answer.mac, answer),
  )
  const timer = setTimeout(() => void asked.end(500), ms)
  await asked.gone
  clearTimeout(timer)
  const problems = [...leases].flatMap(([mac, ip]) => {
    const answer = answers.get(mac)
    if (!answer) return [`${mac} asked for ${ip ? `its ${ip}` : 'an address'} in vain`]
    if (answer.type === 'nak') return [`${mac} was refused its ${ip}`]
    return ip === undefined || answer.ip === ip ? [] : [`${mac} had ${ip} and got ${answer.ip}`]
  })
  return { problems, leases: [...answers.values()].filter(({ type }) => type === 'ack').map(leaseOf) }
}

function run(guest: LabNode, argv: readonly string[], take: (answer: Answer) => void): Running {
  let rest = ''
  const file = fileURLToPath(new URL('clients-process.ts', import.meta.url))
  return guest.spawn('clients', [process.execPath, '--disable-warning=ExperimentalWarning', file, ...argv], {
    onOutput(chunk) {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(Answer.parse(JSON.parse(line)))
    },
  })
}
