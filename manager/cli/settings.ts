import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { Failure } from './failure.ts'

/** Which manager is talked to, and by which key. */
export const Settings = z.object({
  /** Without a slash at its end. */
  url: z.url({ protocol: /^https?$/ }),
  key: z.string().min(1),
  /** PEM of the certificate that was accepted at login; absent where an authority vouches for it. */
  certificate: z.string().optional(),
})
export type Settings = z.infer<typeof Settings>

export const DEFAULT_URL = 'http://127.0.0.1:8420'
const LOGIN = 'log in: bridgehead login --url https://MANAGER:8443'

type Env = Readonly<Record<string, string | undefined>>

export function settingsFile(env: Env): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'bridgehead', 'config.json')
}

/** What login kept; BRIDGEHEAD_KEY and BRIDGEHEAD_URL come first. Throws Failure when there is no login. */
export async function readSettings(env: Env): Promise<Settings> {
  const kept = await keptSettings(env)
  const { BRIDGEHEAD_URL: url = kept?.url, BRIDGEHEAD_KEY: key } = env
  if (key) return asked({ url: url ?? DEFAULT_URL, key, certificate: kept?.url === url ? kept?.certificate : undefined })
  if (!kept)
    throw new Failure('nobody is logged in here', { code: 'not-logged-in', next: [LOGIN, 'or set BRIDGEHEAD_URL and BRIDGEHEAD_KEY'] })
  if (url !== kept.url)
    // a key is shown to no manager but its own
    throw new Failure(`BRIDGEHEAD_URL is ${url}, but the key at hand is for ${kept.url}`, {
      code: 'not-logged-in',
      next: [`bridgehead login --url ${url}`, 'or set BRIDGEHEAD_KEY too'],
    })
  return kept
}

/** Undefined: nobody has logged in. */
export async function keptSettings(env: Env): Promise<Settings | undefined> {
  const file = settingsFile(env)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Failure(`${file} cannot be read: ${error.message}`, { code: 'config', cause: error })
  })
  if (text === undefined) return undefined
  try {
    return Settings.parse(JSON.parse(text))
  } catch (cause) {
    throw new Failure(`${file} is not what login wrote`, { code: 'config', next: ['log in again: bridgehead login'], cause })
  }
}

/** Whole or not at all, and for its owner only. */
export async function keepSettings(env: Env, settings: Settings): Promise<string> {
  const file = settingsFile(env)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.${process.pid}.tmp`
  await writeFile(temporary, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 })
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  return file
}

export async function forgetSettings(env: Env): Promise<void> {
  await rm(settingsFile(env), { force: true })
}

/** An address as people type it: `manager.example:8443` too. Throws Failure. */
export function managerUrl(typed: string): string {
  const text = /^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '')
    throw new Failure(`--url: expected the manager's address, such as https://manager.example:8443, got "${typed}"`, { usage: true })
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

function asked(given: { url: string; key: string; certificate: string | undefined }): Settings {
  return { url: managerUrl(given.url), key: given.key, ...(given.certificate ? { certificate: given.certificate } : {}) }
}
