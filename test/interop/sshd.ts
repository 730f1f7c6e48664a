import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'

/**
 * Debian's sshd on loopback, with a configuration, two host keys and one authorised key of its own.
 * Resolves once it listens, with its Ed25519 host key as a line of OpenSSH.
 */
export async function startSshd(
  directory: string,
  { ip, port, authorized }: { ip: string; port: number; authorized: string },
): Promise<{ hostKey: string; process: ChildProcess }> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'host')])
  await execa('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', join(directory, 'host-ecdsa')])
  await writeFile(join(directory, 'authorized_keys'), `${authorized}\n`)
  const settings = [
    `Port ${port}`,
    `ListenAddress ${ip}`,
    `HostKey ${join(directory, 'host-ecdsa')}`,
    `HostKey ${join(directory, 'host')}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    `PidFile ${join(directory, 'pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'MaxStartups 100',
  ]
  await writeFile(join(directory, 'sshd_config'), `${settings.join('\n')}\n`)
  return { hostKey: await readFile(join(directory, 'host.pub'), 'utf8'), process: await start(join(directory, 'sshd_config'), ip, port) }
}

async function start(config: string, ip: string, port: number): Promise<ChildProcess> {
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true }) // where Debian's sshd parts with its privileges
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (bytes) => {
    said += bytes
  })
  for (let left = 100; ; left--) {
    const open = await new Promise<boolean>((done) => {
      const socket = createConnection(port, ip, () => done(true)).on('error', () => done(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return child
    if (left === 0 || child.exitCode !== null) throw new Error(`sshd does not listen: ${said}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}
