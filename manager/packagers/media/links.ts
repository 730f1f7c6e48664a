import type { Clock } from '@bridgehead/shared/clock.ts'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Bucket } from '../../engines/bucket/bucket.ts'

/** Without what eyes mix up: 0 and o, 1 and l and i. 31 signs, 10 of them: some 49 bits, more than can be guessed while a link lives. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz'
const CODE_LENGTH = 10
const Code = /^[2-9a-hjkmnp-z]{10}$/
/** The redirect's own life; a download that began goes on. */
const PRESIGNED_SECONDS = 3600
const SWEEP_MS = 3_600_000

const Stored = z.object({ organisation: z.string(), hash: z.string(), file: ArtifactRef, createdAt: z.int(), expiresAt: z.int() })
/** A short public way to one file, until it expires (epoch ms). */
export const Link = Stored.omit({ organisation: true, hash: true }).extend({ code: z.string() })
export type Link = z.infer<typeof Link>

export interface Links {
  add(wish: { organisation: string; hash: string; file: ArtifactRef; expiresAt: number }): Promise<Link>
  /** Of one organisation's media, newest first, with those that expired lately. */
  list(organisation: string, hash: string): Promise<Link[]>
  /** False when the organisation has no such link. */
  remove(organisation: string, code: string): Promise<boolean>
  find(code: string): Promise<Link | undefined>
}

export function createLinks({ bucket, random, clock }: { bucket: Bucket; random: (bytes: number) => Uint8Array; clock: Clock }): Links {
  const key = (code: string) => `links/${code}.json`
  const read = async (code: string) => Stored.safeParse(await bucket.getDocument(key(code))).data
  const shown = (code: string, { file, createdAt, expiresAt }: z.infer<typeof Stored>): Link => ({ code, file, createdAt, expiresAt })
  let swept = 0

  /** A day after a link expired its page may forget that it ever was. */
  async function sweep(): Promise<void> {
    if (clock.now() - swept < SWEEP_MS) return
    swept = clock.now()
    for await (const at of bucket.listDocuments('links/')) {
      const found = Stored.safeParse(await bucket.getDocument(at)).data
      if (!found || found.expiresAt < clock.now() - 24 * SWEEP_MS) await bucket.deleteDocument(at)
    }
  }

  return {
    async add({ organisation, hash, file, expiresAt }) {
      await sweep()
      const code = newCode(random)
      const stored = { organisation, hash, file, createdAt: clock.now(), expiresAt }
      await bucket.putDocument(key(code), stored)
      return shown(code, stored)
    },
    async list(organisation, hash) {
      const links: Link[] = []
      for await (const at of bucket.listDocuments('links/')) {
        const found = Stored.safeParse(await bucket.getDocument(at)).data
        if (found?.organisation === organisation && found.hash === hash)
          links.push(shown(at.slice('links/'.length, -'.json'.length), found))
      }
      return links.sort((a, b) => b.createdAt - a.createdAt)
    },
    async remove(organisation, code) {
      if (!Code.test(code) || (await read(code))?.organisation !== organisation) return false
      await bucket.deleteDocument(key(code))
      return true
    },
    async find(code) {
      const found = Code.test(code) ? await read(code) : undefined
      return found && shown(code, found)
    },
  }
}

/** Every sign equally likely. */
function newCode(random: (bytes: number) => Uint8Array): string {
  const fair = 256 - (256 % ALPHABET.length)
  let code = ''
  while (code.length < CODE_LENGTH)
    for (const byte of random(CODE_LENGTH)) if (byte < fair && code.length < CODE_LENGTH) code += ALPHABET[byte % ALPHABET.length]
  return code
}

/** `GET|HEAD /d/{code}`, public: sends a browser to the file. Mount it at the root of the listener that serves `bucketRoutes`. */
export function linkRoutes({ links, bucket, clock }: { links: Pick<Links, 'find'>; bucket: Bucket; clock: Clock }): Hono {
  const app = new Hono()
  app.get('/d/:code', async (c) => {
    const link = await links.find(c.req.param('code').toLowerCase())
    if (!link) return page(c, 404, 'There is no such download. Look at the link again, sign by sign, or ask for a new one.')
    const left = link.expiresAt - clock.now()
    if (left <= 0) return page(c, 410, `This link to ${link.file.name} has expired. Ask whoever sent it for a new one.`)
    if (!(await bucket.head(link.file.sha256)))
      return page(c, 410, `${link.file.name} was deleted. Ask whoever sent this link for a new one.`)
    const expiresSeconds = Math.ceil(Math.min(left / 1000, PRESIGNED_SECONDS))
    c.header('cache-control', 'no-store')
    c.header('referrer-policy', 'no-referrer')
    return c.redirect(await bucket.presign(link.file.sha256, { expiresSeconds, name: link.file.name }), 302)
  })
  return app
}

/** Readable on a phone. `text` holds file names at most, and those are plain. */
function page(c: Context, status: 404 | 410, text: string): Response | Promise<Response> {
  c.header('cache-control', 'no-store')
  return c.html(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Bridgehead</title><body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem"><p>${text}</p></body></html>`,
    status,
  )
}
