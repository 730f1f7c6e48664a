#!/usr/bin/env node
// Runs inside a namespace of the lab: `portal.ts SOCKET HOST PORT` lets whoever connects to the unix socket SOCKET through to HOST:PORT
// as seen from there. Unix sockets by path belong to no network namespace, so the lab reaches the manager's loopback by it.
import { connect, createServer } from 'node:net'

const [path = '', host = '', port = ''] = process.argv.slice(2)
createServer((from) => {
  const to = connect(Number(port), host)
  from.pipe(to).pipe(from)
  from.on('error', () => to.destroy())
  to.on('error', () => from.destroy())
}).listen(path, () => process.stdout.write('ready\n'))
