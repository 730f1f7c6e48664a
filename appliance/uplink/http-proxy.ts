import { request } from 'node:http'
import type { Socket } from 'node:net'

/**
 * A connection to `host`:`port` through an HTTP proxy (CONNECT, RFC 9110 §9.3.6). Name and password may stand in the proxy's URL.
 * Rejects with the proxy's own status where it says no.
 */
export function throughProxy(proxy: string, { host, port }: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
  const { hostname, port: proxyPort, username, password } = new URL(proxy)
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  return new Promise((resolve, reject) => {
    const connect = request({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(proxyPort || 80),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...(username === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }) },
      signal,
    })
    connect.once('connect', (answer, socket, head) => {
      if (answer.statusCode === 200 && head.length === 0) return resolve(socket)
      socket.destroy()
      reject(
        new Error(
          `the proxy ${hostname} refused to connect to ${target}: HTTP ${answer.statusCode} ${answer.statusMessage ?? ''}`.trimEnd(),
        ),
      )
    })
    connect.once('response', (answer) => {
      answer.destroy() // whatever answers CONNECT with a page is no proxy for us
      reject(
        new Error(
          `the proxy ${hostname} refused to connect to ${target}: HTTP ${answer.statusCode} ${answer.statusMessage ?? ''}`.trimEnd(),
        ),
      )
    })
    connect.once('error', (cause) => reject(new Error(`the proxy ${hostname} did not answer: ${cause.message}`, { cause })))
    connect.end()
  })
}
