import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { LabNode } from './node.ts'
import type { LabSite } from './site.ts'
import type { Stack, Target } from './stack.ts'
import { waitFor } from './wait.ts'

/** A host without a machine: a namespace that goes through the same requests as iPXE, installer and installed system, and runs a real sshd. */
export interface LightHost {
  readonly node: LabNode
  readonly name: string
}

/** Small stand-ins for kernel, installer and image, in the bucket. Light hosts never load them. */
export async function lightTarget(
  put: (text: string, name: string) => Promise<{ sha256: string; bytes: number; name: string }>,
): Promise<Target> {
  const [kernel, initrd, image] = [await put('kernel', 'vmlinuz'), await put('initrd', 'initrd'), await put('image', 'disk.raw.zst')]
  return { kernel, initrd, image, imageBytes: 1_048_576, cmdline: '' }
}

/** Installs a light host at a site; it is `ready` at the manager when its phone-home arrived there. */
export async function installLightHost(
  stack: Pick<Stack, 'lab'>,
  place: LabSite,
  options: { name: string; address: string; mac: string; node?: LabNode },
): Promise<LightHost> {
  const { name, address, mac } = options
  const node = options.node ?? (await place.host(name, { address, mac }))
  const directory = join(stack.lab.directory, `${name}${place.index}`)
  mkdirSync(directory, { recursive: true })
  const curl = async (path: string, ...more: string[]) =>
    (await node.exec(['curl', '-sS', '--fail-with-body', '--max-time', '10', ...more, `http://${place.appliance.address}${path}`])).stdout

  const script = await curl(`/boot/script?mac=${mac}&platform=pcbios&arch=i386`)
  const boot = /bridgehead\.boot=(\S+)/.exec(script)?.[1]
  const token = /bridgehead\.token=(\S+)/.exec(script)?.[1]
  if (boot === undefined || token === undefined) throw new Error(`${name} was not told to install itself:\n${script}`)
  const answers = await curl(`/boot/${boot}/answers?token=${token}`)
  const answer = (key: string) => new RegExp(`^${key}='(.*)'$`, 'm').exec(answers)?.[1] ?? ''
  const keys = Buffer.from(answer('AUTHORIZED_KEYS_B64'), 'base64').toString()
  const hostKey = await startSshd(node, { directory, keys, mark: `${name}.site${place.index}` })
  await curl(`/boot/${boot}/installed?token=${token}`, '-X', 'POST')
  const phone = new URL(answer('PHONE_HOME_URL')).pathname
  await curl(phone, '--data-urlencode', `token=${answer('PHONE_HOME_TOKEN')}`, '--data-urlencode', `hostkeys=${hostKey}`)
  return { node, name }
}

/** Returns the public host key. Every session sees `BRIDGEHEAD_MARK`, because the file system is this machine's own. */
async function startSshd(node: LabNode, { directory, keys, mark }: { directory: string; keys: string; mark: string }): Promise<string> {
  const hostKey = join(directory, 'host_key')
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey])
  writeFileSync(join(directory, 'authorized_keys'), keys)
  const config = join(directory, 'sshd_config')
  writeFileSync(
    config,
    [
      `ListenAddress ${node.address}`,
      `HostKey ${hostKey}`,
      `PidFile none`,
      `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'UsePAM no',
      'StrictModes no',
      `SetEnv BRIDGEHEAD_MARK=${mark}`,
    ].join('\n'),
  )
  mkdirSync('/run/sshd', { recursive: true }) // where sshd's unprivileged half is locked in
  node.spawn('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', config], { logFile: join(directory, 'sshd.log') })
  await waitFor(`sshd of ${mark}`, async () => {
    const open = await node.exec(['bash', '-c', `exec 3<>/dev/tcp/${node.address}/22`], { reject: false })
    return open.exitCode === 0 ? true : undefined
  })
  return readFileSync(`${hostKey}.pub`, 'utf8').trim()
}
