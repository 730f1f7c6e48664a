import { WireError } from '../wire/errors.ts'

// The GRUB environment block: the few bytes by which the boot loader and the daemon talk about the two systems.
//
//   "# GRUB Environment Block\n" | name=value\n ... | '#' up to 1024 bytes       (GRUB 2, lib/envblk.c)
//
// A backslash in a value makes the next character plain (so a value may hold a newline). A line that begins with '#' is a comment.
// The variables are those of RAUC's GRUB back end: ORDER="A B", A_OK, A_TRY, B_OK, B_TRY.

export const ENV_BYTES = 1024
/** A disk writes a sector whole or not at all, so all that a switch changes lies in the first one. */
export const SECTOR_BYTES = 512
/** So often GRUB starts a slot that nobody marks good (OK=1, TRY=0), before it passes it over. */
export const MAX_TRIES = 3

const SIGNATURE = '# GRUB Environment Block\n'
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: false })

export type SlotName = 'A' | 'B'
export const SLOTS: readonly SlotName[] = ['A', 'B']
export const otherSlot = (slot: SlotName): SlotName => (slot === 'A' ? 'B' : 'A')

/** All variables, in the order in which they lie there; those that are not ours are kept. */
export type GrubEnv = ReadonlyMap<string, string>

/** One slot, as the loader sees it: may it be started, and how often was it since someone last marked it good. */
export interface SlotMark {
  ok: boolean
  tries: number
}
export interface SlotMarks {
  /** Which one is tried first. */
  order: readonly SlotName[]
  A: SlotMark
  B: SlotMark
}

/** Reads like GRUB does. Throws WireError where GRUB says "invalid environment block", or would stop reading half-way. */
export function decodeGrubEnv(bytes: Uint8Array): GrubEnv {
  if (bytes.length !== ENV_BYTES) throw new WireError(`expected an environment block of ${ENV_BYTES} bytes, got ${bytes.length}`, 0)
  const text = latin(bytes)
  if (!text.startsWith(SIGNATURE)) throw new WireError('expected "# GRUB Environment Block"', 0)
  const env = new Map<string, string>()
  for (let at = SIGNATURE.length; at < text.length; ) {
    const end = endOfLine(text, at)
    if (text[at] !== '#') {
      const equals = text.indexOf('=', at)
      if (equals < 0 || equals > end) throw new WireError('expected name=value', at)
      if (end >= text.length) throw new WireError('the last line does not end', at)
      env.set(utf8(text.slice(at, equals)), utf8(text.slice(equals + 1, end).replaceAll(/\\(.)/gs, '$1')))
    }
    at = end + 1
  }
  return env
}

/** Throws WireError when the text would not fit into the first sector, or a name cannot be written. */
export function encodeGrubEnv(env: GrubEnv): Uint8Array {
  let text = SIGNATURE
  for (const [name, value] of env) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new WireError(`"${name}" is no name for a GRUB variable`, text.length)
    if (value.includes('\0')) throw new WireError(`the value of ${name} has a zero byte`, text.length)
    text += `${name}=${value.replaceAll(/[\\\n]/g, '\\$&')}\n`
  }
  const lines = encoder.encode(text)
  if (lines.length > SECTOR_BYTES)
    throw new WireError(`the variables take ${lines.length} bytes; only ${SECTOR_BYTES} are written at once`, 0)
  const block = new Uint8Array(ENV_BYTES).fill(0x23)
  block.set(lines)
  return block
}

/** What the variables say of the slots. What is missing or no number counts as 0, as in GRUB's script. */
export function marksOf(env: GrubEnv): SlotMarks {
  const mark = (slot: SlotName): SlotMark => ({
    ok: env.get(`${slot}_OK`) === '1',
    tries: Number.parseInt(env.get(`${slot}_TRY`) ?? '', 10) || 0,
  })
  const order = (env.get('ORDER') ?? 'A B').split(/\s+/).filter((word): word is SlotName => word === 'A' || word === 'B')
  return { order, A: mark('A'), B: mark('B') }
}

/** The same environment with these marks; other variables stay. */
export function withMarks(env: GrubEnv, marks: SlotMarks): GrubEnv {
  const next = new Map(env)
  next.set('ORDER', marks.order.join(' '))
  for (const slot of SLOTS) {
    next.set(`${slot}_OK`, marks[slot].ok ? '1' : '0')
    next.set(`${slot}_TRY`, String(marks[slot].tries))
  }
  return next
}

/** What a fresh image has: system A, and an empty slot B. */
export const FRESH_MARKS: SlotMarks = { order: ['A', 'B'], A: { ok: true, tries: 0 }, B: { ok: false, tries: 0 } }

export interface SlotChoice {
  slot: SlotName
  /** A sentence for people. */
  why: string
  /** Slots that stand before it in ORDER and were passed over. */
  skipped: readonly SlotName[]
  /** What GRUB saves before it starts the slot; undefined where it saves nothing. */
  saved: SlotMarks | undefined
  /** Neither slot may be started: GRUB says so on the screen, waits, and tries A all the same. */
  damaged: boolean
}

/** What grub.cfg does at a power-on, as a pure function. `env` is undefined where the block cannot be read. */
export function slotToBoot(env: GrubEnv | undefined): SlotChoice {
  if (env === undefined)
    return { slot: 'A', why: 'the GRUB environment cannot be read: system A, uncounted', skipped: [], saved: undefined, damaged: false }
  const marks = marksOf(env)
  const skipped: SlotName[] = []
  const reasons: string[] = []
  for (const slot of marks.order) {
    const { ok, tries } = marks[slot]
    if (ok && tries < MAX_TRIES) {
      const why = [...reasons, `system ${slot} is tried, ${tries + 1} of ${MAX_TRIES}`].join('; ')
      return { slot, why, skipped, saved: { ...marks, [slot]: { ok, tries: tries + 1 } }, damaged: false }
    }
    skipped.push(slot)
    reasons.push(ok ? `system ${slot} did not come up ${tries} times` : `system ${slot} is not whole`)
  }
  return { slot: 'A', why: [...reasons, 'both systems are damaged: A is tried again'].join('; '), skipped, saved: undefined, damaged: true }
}

/** The index of the newline that ends the line at `at`, or beyond the text. */
function endOfLine(text: string, at: number): number {
  let end = at
  while (end < text.length && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1
  return end
}

/** One character a byte, so that offsets are those of the block. */
function latin(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
function utf8(text: string): string {
  return decoder.decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0)))
}
