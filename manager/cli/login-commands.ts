import type { Command } from 'commander'
import { connect, managerOf } from './api.ts'
import { Failure } from './failure.ts'
import { command, type JsonOption } from './options.ts'
import { createPrinter, facts } from './print.ts'
import { unreachable } from './refusals.ts'
import { DEFAULT_URL, forgetSettings, keepSettings, keptSettings, managerUrl, type Settings } from './settings.ts'
import { lookAt } from './transport.ts'
import type { World } from './world.ts'

interface LoginOptions extends JsonOption {
  url?: string
  key?: string
  fingerprint?: string
  allowHttp?: true
}

export function addLoginCommands(program: Command, world: World): void {
  command(program, 'login', 'keep the address of a manager and an API key for it')
    .option('--url <url>', `the manager's address (${DEFAULT_URL}, or that of the last login)`)
    .option(
      '--key <key>',
      'an API key; others on this machine may see it, so better leave it out: it is asked for, or read from standard input',
    )
    .option('--fingerprint <sha256>', "accept this certificate of the manager's without asking")
    .option('--allow-http', 'send the key in clear to another machine')
    .action(async (options: LoginOptions) => login(options, world))
  command(program, 'logout', 'forget the key').action(async ({ json }: JsonOption) => {
    await forgetSettings(world.env)
    const printer = createPrinter(world, { json })
    if (json) printer.value({ loggedIn: false })
    else printer.line('logged out; the key stays good until it is deleted in the console')
  })
  command(program, 'whoami', 'who the kept key is, and what it may do').action(async ({ json }: JsonOption) => {
    const { api, url } = await connect(world)
    const who = await (await api.access.whoami.$get()).json()
    const printer = createPrinter(world, { json })
    if (json) return printer.value({ url, ...who })
    printer.line(`${who.actor.name} at ${url}`)
    for (const line of facts([['scopes', who.scopes.join(', ') || 'none']])) printer.line(line)
  })
}

async function login(options: LoginOptions, world: World): Promise<void> {
  const kept = await keptSettings(world.env).catch(() => undefined) // a broken file is no hindrance: it is written anew
  const url = options.url === undefined ? (world.env.BRIDGEHEAD_URL ?? kept?.url ?? DEFAULT_URL) : options.url
  const manager = managerUrl(url)
  const { hostname, protocol } = new URL(manager)
  if (protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname) && !options.allowHttp)
    throw new Failure(`${manager} would get the key in clear`, {
      usage: true,
      next: ['use https://', 'or, where the network is yours: --allow-http'],
    })
  const certificate = protocol === 'https:' ? await acceptedCertificate(manager, options.fingerprint, world) : undefined
  const key = (options.key ?? (await askKey(world))).trim()
  if (key === '') throw new Failure('no API key was given', { usage: true, next: ['make one in the console, under API keys'] })
  const settings: Settings = { url: manager, key, ...(certificate === undefined ? {} : { certificate }) }
  const who = await (await managerOf(settings).api.access.whoami.$get()).json()
  const file = await keepSettings(world.env, settings)
  const printer = createPrinter(world, options)
  if (options.json) return printer.value({ url: manager, file, ...who })
  printer.line(`logged in to ${manager} as ${who.actor.name}; the key is kept in ${file}`)
  if (who.scopes.length === 0) printer.note('this key has no scope, so that it may do nothing but this; ask an owner for one that has some')
}

/** The certificate to pin; undefined where an authority vouches for it. */
async function acceptedCertificate(url: string, fingerprint: string | undefined, { ask, stderr }: World): Promise<string | undefined> {
  const shown = await lookAt(url).catch((cause: unknown) => {
    throw unreachable({ url, pinned: false }, cause)
  })
  if (fingerprint !== undefined) {
    const wanted = fingerprint.replaceAll(':', '').toLowerCase()
    if (shown.fingerprint === wanted) return shown.pem
    throw new Failure(`${url} shows certificate ${shown.fingerprint}, expected ${wanted}`, {
      code: 'certificate-changed',
      next: ['compare with what the manager says: tls/manager.pem in its data directory, or any bridgehead.json'],
    })
  }
  if (shown.trusted) return undefined
  if (!ask)
    throw new Failure(`no authority that this machine knows vouches for the certificate of ${url} (${shown.why})`, {
      code: 'certificate-unknown',
      next: [`if it is the manager's own: --fingerprint ${shown.fingerprint}`],
    })
  stderr.write(
    `no authority that this machine knows vouches for ${url} (${shown.why}). Its certificate has SHA-256\n  ${shown.fingerprint}\n`,
  )
  const answer = await ask("Is that your manager's, and shall it be trusted from now on (yes/no)? ")
  if (/^y(es)?$/i.test(answer.trim())) return shown.pem
  throw new Failure('the certificate was not accepted; nothing was sent', { code: 'certificate-unknown' })
}

async function askKey({ ask, stdin }: World): Promise<string> {
  if (ask) return ask('API key (nothing is shown): ', { secret: true })
  let text = ''
  for await (const part of stdin) text += part.toString()
  return text
}
