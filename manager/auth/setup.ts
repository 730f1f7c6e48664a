import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { Problem } from '../engines/http/problem.ts'
import { SCOPES } from '../engines/http/scope.ts'
import type { Db } from '../engines/store/store.ts'
import type { Auth } from './auth.ts'

export interface Owner {
  token: string
  email: string
  password: string
  name: string
  organisation: string
  /** Also make an API key with every scope, for a script that goes on from here. */
  apiKey: boolean
}
export interface SetupDone {
  user: string
  organisation: string
  /** Where one was asked for; shown this once. */
  apiKey?: string
}

/** The one-time link by which the first account and organisation are made. */
export interface Setup {
  /** The link, while nobody has used it; the same again after a restart. */
  prepare(): Promise<string | undefined>
  /** Throws `setup-spent` or `setup-token-wrong`. */
  check(token: string): Promise<void>
  spend(owner: Owner): Promise<SetupDone>
}

export interface SetupDeps {
  db: Db
  auth: Auth
  /** Where the link lies for scripts, mode 0600, until it is used. */
  file: string
  /** Base of the link, such as `http://127.0.0.1:8420`. */
  url: string
  random: (bytes: number) => Uint8Array
  clock: Clock
}

interface Stored {
  sha256: string
  spentAt?: number
}

export function createSetup({ db, auth, file, url, random, clock }: SetupDeps): Setup {
  const stored = async (): Promise<Stored | undefined> => {
    const row = await db.selectFrom('settings').select('value').where('key', '=', 'setup').executeTakeFirst()
    return row && (JSON.parse(row.value) as Stored)
  }
  const keep = async (value: Stored) => {
    const text = JSON.stringify(value)
    await db
      .insertInto('settings')
      .values({ key: 'setup', value: text })
      .onConflict((on) => on.column('key').doUpdateSet({ value: text }))
      .execute()
  }
  const check = async (token: string) => {
    const setup = await stored()
    if (setup?.spentAt !== undefined) throw new Problem('setup-spent', 'the first account was made already; sign in with it')
    if (!setup || !timingSafeEqual(Buffer.from(sha256(token), 'hex'), Buffer.from(setup.sha256, 'hex')))
      throw new Problem('setup-token-wrong', 'the manager prints the set-up link when it starts; copy it whole')
  }
  let turn: Promise<unknown> = Promise.resolve()

  return {
    async prepare() {
      const setup = await stored()
      if (setup?.spentAt !== undefined) {
        await rm(file, { force: true })
        return undefined
      }
      const old = await readFile(file, 'utf8').then(
        (text) => /token=([\w-]+)/.exec(text)?.[1],
        () => undefined, // not there yet
      )
      const token = old !== undefined && setup?.sha256 === sha256(old) ? old : Buffer.from(random(32)).toString('base64url')
      if (setup?.sha256 !== sha256(token)) await keep({ sha256: sha256(token) })
      const link = `${url}/setup?token=${token}`
      await writeFile(file, `${link}\n`, { mode: 0o600 })
      return link
    },
    check,
    // One at a time, and each step may be repeated: only the last one spends the link.
    spend(owner) {
      const done = turn.then(async () => {
        await check(owner.token)
        const made = await auth.createOwner(owner)
        const key = owner.apiKey ? (await auth.keys.create({ ...made, name: 'set-up', scopes: SCOPES })).key : undefined
        await keep({ sha256: sha256(owner.token), spentAt: clock.now() })
        await rm(file, { force: true })
        return { ...made, ...(key === undefined ? {} : { apiKey: key }) }
      })
      turn = done.catch(() => undefined) // the caller has the error
      return done
    },
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
