import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import type { Ports } from '../config.ts'
import type { Store } from '../store/store.ts'
import { type SelfTest, Unanswered } from './health.ts'

/** Where the services listen, and where they should. */
export interface Listening {
  /** Addresses of the site's LANs. */
  wanted: readonly string[]
  open: Record<'dns' | 'tftp' | 'http', readonly string[]>
  /** Of DHCP: sockets that should be open and are not, as `address:port`. */
  dhcpClosed: readonly string[]
}

const ANSWER_MS = 2_000

/** The tests of one round. None where the site has no LAN yet: there is nothing to answer then. */
export function selfTests(listening: Listening, ports: Ports, store: Pick<Store, 'write'>): SelfTest[] {
  const { wanted, open, dhcpClosed } = listening
  const answers = { dns: askDns, tftp: askTftp, http: askHttp }
  const tests: SelfTest[] = [
    { service: 'store', run: () => store.write(() => undefined) },
    {
      service: 'dhcp',
      async run() {
        if (dhcpClosed.length > 0) throw new Error(`cannot listen on ${dhcpClosed.join(', ')}`)
      },
    },
  ]
  for (const service of ['dns', 'tftp', 'http'] as const)
    for (const address of wanted)
      tests.push({
        service,
        async run() {
          if (!open[service].includes(address)) throw new Error(`cannot listen on ${address}:${ports[service]}`)
          await answers[service](address, ports[service])
        },
      })
  return tests
}

/** Class CHAOS, which our server refuses: any answer shows that its loop turns, and nothing is cached or forwarded. */
const DNS_QUERY = Buffer.from('bd4e01000001000000000000066865616c7468000010' + '0003', 'hex')
/** RRQ in mode netascii, which our server refuses with a word: no file is looked for. */
const TFTP_READ = Buffer.from('\0\x01health\0netascii\0', 'latin1')

const askDns = (address: string, port: number) => askUdp('dns', address, port, DNS_QUERY)
const askTftp = (address: string, port: number) => askUdp('tftp', address, port, TFTP_READ)

function askUdp(service: string, address: string, port: number, question: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const end = (error?: Error) => {
      clearTimeout(timer)
      socket.close()
      if (error) reject(error)
      else resolve()
    }
    const timer = setTimeout(() => end(new Unanswered(`${service} on ${address} is open and does not answer`)), ANSWER_MS)
    socket.once('error', end)
    socket.once('message', () => end())
    // from the LAN address itself: DNS answers its own subnets
    socket.bind({ address }, () => socket.send(question, port, address))
  })
}

function askHttp(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: address,
      port,
      method: 'HEAD',
      path: '/boot/start.ipxe',
      timeout: ANSWER_MS,
      agent: false,
      headers: { connection: 'close' },
    })
    asked.once('response', (answer) => {
      answer.resume()
      resolve()
    })
    asked.once('timeout', () => asked.destroy(new Unanswered(`http on ${address} is open and does not answer`)))
    asked.once('error', reject)
    asked.end()
  })
}
